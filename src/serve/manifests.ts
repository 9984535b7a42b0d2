import type { Digest } from "../base/digest.ts";
import { largestManifestBytes } from "../image/image-document.ts";
import { type ContentDigest, contentDigestOf } from "../store/content-digest.ts";
import { type NamedContent, type PushedManifest, parsePushedManifest } from "./pushed-manifest.ts";
import { RegistryRefusal } from "./registry-refusal.ts";
import type { ManifestName } from "./registry-route.ts";
import { findBlob } from "./serve-blob.ts";
import type { OpenedStore } from "./store-lease.ts";

/** A manifest that a repository has. */
export interface FoundManifest {
  readonly digest: ContentDigest;
  /** Where its bytes are. */
  readonly blob: Digest;
  readonly size: number;
  readonly mediaType: string;
}

/** Indexes in indexes that are kept with one that is pushed. */
const deepestIndex = 4;

/**
 * The manifest a repository has under a tag or digest; null when there is none. Of a pushed tag and an image of the
 * store that have the same name, the later one counts.
 */
export async function findManifest(
  repository: string,
  name: ManifestName,
  { store, images }: OpenedStore,
): Promise<FoundManifest | null> {
  const { repositories } = store;
  if (name.kind === "digest") {
    const pushed = await repositories.findManifest(repository, name.digest);
    if (pushed !== null) return pushed;
  } else {
    const tag = await repositories.findTag(repository, name.tag);
    const image = tag === null ? null : await images.image(repository, name.tag);
    const isLater = tag !== null && (image === null || tag.taggedAtMs >= image.createdAtMs);
    const pushed = isLater ? await repositories.findManifest(repository, tag.digest) : null;
    if (pushed !== null) return pushed;
  }
  const found = await images.manifest(repository, name);
  if (found === null) return null;
  return {
    digest: found.digest as string as ContentDigest,
    blob: found.digest,
    size: found.size,
    mediaType: found.mediaType,
  };
}

/**
 * Makes a manifest part of a repository, if all that it names is. What it names of an image of the store is kept from
 * now on even if the image goes. Throws a RegistryRefusal.
 */
export async function addManifest(
  repository: string,
  digest: ContentDigest,
  bytes: Uint8Array,
  announced: string | null,
  opened: OpenedStore,
  depth = 0,
): Promise<PushedManifest> {
  const { store } = opened;
  const manifest = parsePushedManifest(bytes, announced);
  for (const blob of manifest.blobs) await keepBlob(repository, blob, opened);
  for (const { digest: wanted, size } of manifest.manifests) {
    const child = await findManifest(repository, { kind: "digest", digest: wanted }, opened);
    if (child === null) {
      // Build caches are indexes of blobs.
      await keepBlob(repository, { digest: wanted, size }, opened);
      continue;
    }
    if (child.size !== size || depth >= deepestIndex)
      throw new RegistryRefusal(400, "MANIFEST_INVALID", `manifest ${wanted}: got ${size} bytes, want ${child.size}`);
    if ((await store.repositories.findManifest(repository, wanted)) !== null) continue;
    const content = await store.blobs.readBytes(child.blob, largestManifestBytes);
    await addManifest(repository, wanted, content, child.mediaType, opened, depth + 1);
  }
  const { mediaType, artifactType, subject, annotations } = manifest;
  const names = [...manifest.blobs, ...manifest.manifests].map((each) => each.digest);
  const blob = await store.blobs.putBytes(bytes);
  const common = { repository, digest, blob, size: bytes.length, mediaType, artifactType, subject, annotations };
  await store.repositories.addManifest({ ...common, names: [...new Set(names)] });
  return manifest;
}

/** Makes sure that a blob is part of the repository, and stays. Throws a RegistryRefusal when it is not. */
async function keepBlob(repository: string, { digest, size }: NamedContent, opened: OpenedStore): Promise<void> {
  const blob = await findBlob(repository, digest, opened);
  if (blob === null || blob.size !== size)
    throw new RegistryRefusal(400, "MANIFEST_BLOB_UNKNOWN", `${digest} of ${size} bytes: not in ${repository}`);
  await opened.store.repositories.addBlob({ repository, digest, blob: blob.digest, size });
}

/** Throws a RegistryRefusal when `bytes` do not have the digest. */
export function checkDigest(bytes: Uint8Array, want: ContentDigest): void {
  const got = contentDigestOf(bytes, want);
  if (got !== want) throw new RegistryRefusal(400, "DIGEST_INVALID", `manifest: got ${got}, want ${want}`);
}
