import { digestOf } from "../base/digest.ts";
import { largestManifestBytes } from "../image/image-document.ts";
import { type ContentDigest, parseContentDigest } from "../store/content-digest.ts";
import { answer, type Exchange, isNotModified } from "./exchange.ts";
import { addManifest, checkDigest, findManifest } from "./manifests.ts";
import { RegistryRefusal } from "./registry-refusal.ts";
import { checkTag, type ManifestName } from "./registry-route.ts";
import { readBody } from "./request-body.ts";
import type { OpenedStore } from "./store-lease.ts";

/** Tags that one request may set. */
const mostTags = 100;

/** Answers GET and HEAD of a manifest. */
export async function serveManifest(
  exchange: Exchange,
  repository: string,
  name: ManifestName,
  opened: OpenedStore,
): Promise<void> {
  const found = await findManifest(repository, name, opened);
  if (found === null) throw unknown(repository, name);
  const etag = `"${found.digest}"`;
  const headers = { "content-type": found.mediaType, "docker-content-digest": found.digest, etag };
  if (isNotModified(exchange, etag)) answer(exchange, 304, headers);
  else answer(exchange, 200, headers, await opened.store.blobs.readBytes(found.blob, largestManifestBytes));
}

/** PUT: stores a manifest, under a tag if that is how it is called. */
export async function storeManifest(
  exchange: Exchange,
  repository: string,
  name: ManifestName,
  bytes: Uint8Array,
  opened: OpenedStore,
): Promise<void> {
  const { request, query } = exchange;
  const digest = name.kind === "digest" ? name.digest : parseContentDigest(digestOf(bytes));
  checkDigest(bytes, digest);
  const tags = name.kind === "tag" ? [name.tag] : query.getAll("tag").map(checkTag);
  if (tags.length > mostTags) throw new RegistryRefusal(400, "TAG_INVALID", `got ${tags.length} tags`);
  const announced = request.headers["content-type"]?.split(";", 1)[0]?.trim() || null;
  const { subject } = await addManifest(repository, digest, bytes, announced, opened);
  for (const tag of tags) await opened.store.repositories.addTag({ repository, tag, digest, taggedAtMs: Date.now() });
  answer(exchange, 201, {
    location: `/v2/${repository}/manifests/${digest}`,
    "docker-content-digest": digest,
    ...(subject === null ? {} : { "oci-subject": subject }),
    ...(name.kind === "digest" && tags.length > 0 ? { "oci-tag": tags.join(", ") } : {}),
  });
}

export const readManifestBody = (exchange: Exchange, idleMs: number): Promise<Buffer> =>
  readBody(exchange.request, largestManifestBytes, idleMs);

/** DELETE: of a tag only the tag goes, of a digest the manifest with all its tags. */
export async function deleteManifest(
  exchange: Exchange,
  repository: string,
  name: ManifestName,
  opened: OpenedStore,
): Promise<void> {
  const isGone =
    name.kind === "tag"
      ? await deleteTag(repository, name.tag, opened)
      : await deleteByDigest(repository, name.digest, opened);
  if (!isGone) throw unknown(repository, name);
  answer(exchange, 202, {});
}

async function deleteTag(repository: string, tag: string, { store, images }: OpenedStore): Promise<boolean> {
  const pushed = await store.repositories.findTag(repository, tag);
  const image = await images.image(repository, tag);
  if (pushed !== null) await store.repositories.removeTag(repository, tag);
  if (image !== null) await store.images.untag(image.reference);
  return pushed !== null || image !== null;
}

async function deleteByDigest(
  repository: string,
  digest: ContentDigest,
  { store, images }: OpenedStore,
): Promise<boolean> {
  await refuseUsed(repository, digest, { store, images });
  const pushed = await store.repositories.findManifest(repository, digest);
  if (pushed !== null) {
    for (const { tag, digest: target } of await store.repositories.listTags(repository))
      if (target === digest) await store.repositories.removeTag(repository, tag);
    await store.repositories.removeManifest(repository, digest);
  }
  const references = await images.referencesOf(repository, digest);
  for (const reference of references) await store.images.untag(reference);
  return pushed !== null || references.length > 0;
}

/** DELETE of a blob: it is no longer part of the repository. */
export async function deleteBlob(
  exchange: Exchange,
  repository: string,
  digest: ContentDigest,
  opened: OpenedStore,
): Promise<void> {
  await refuseUsed(repository, digest, opened);
  const { repositories } = opened.store;
  if ((await repositories.findBlob(repository, digest)) !== null) await repositories.removeBlob(repository, digest);
  else if ((await opened.images.blob(repository, digest)) !== null)
    throw new RegistryRefusal(405, "DENIED", `blob ${digest}: an image has it; delete its tag`);
  else throw new RegistryRefusal(404, "BLOB_UNKNOWN", `blob ${digest}: not in ${repository}`);
  answer(exchange, 202, {});
}

/** What a manifest of the repository names stays for as long as that does. */
async function refuseUsed(repository: string, digest: ContentDigest, { store }: OpenedStore): Promise<void> {
  const user = (await store.repositories.listManifests(repository)).find(({ names }) => names.includes(digest));
  if (user !== undefined)
    throw new RegistryRefusal(405, "DENIED", `${digest}: manifest ${user.digest} names it; delete that first`);
}

function unknown(repository: string, name: ManifestName): RegistryRefusal {
  const text = name.kind === "tag" ? name.tag : name.digest;
  return new RegistryRefusal(404, "MANIFEST_UNKNOWN", `manifest ${text}: not in ${repository}`);
}
