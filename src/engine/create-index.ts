import { type Digest, digestOf } from "../base/digest.ts";
import { BuildError } from "../base/errors.ts";
import type { Descriptor } from "../image/descriptor.ts";
import { serializeImageIndex } from "../image/image-index.ts";
import { mediaTypes } from "../image/media-types.ts";
import { formatPlatform, type Platform } from "../image/platform.ts";
import { formatReference, parseReference, type Reference } from "../image/reference.ts";
import { isForPlatform, type OutputAnnotation } from "../output/output-annotation.ts";
import { storedOciImage, usualOciOptions } from "../output/stored-oci-image.ts";
import { registrySource } from "../registry/image-source.ts";
import { resolveAll } from "../registry/pull-image.ts";
import type { RegistryClient } from "../registry/registry-client.ts";
import type { StoredImage, StoredPlatformImage } from "../store/image-store.ts";
import type { ImageWorkshop } from "./image-workshop.ts";
import { attachmentsOf } from "./pull-image.ts";

/** What becomes part of an index. */
export interface IndexSource {
  /** An image of the store, else of its registry. */
  readonly name: string;
  /** What the index is to say of it; null for what the image says. */
  readonly platform: Platform | null;
}

interface IndexPart {
  readonly entry: Descriptor;
  readonly image: StoredPlatformImage;
}

interface IndexParts {
  readonly parts: readonly IndexPart[];
  /** Entries of indexes that are no images, and the blobs they lead to. */
  readonly attached: readonly Descriptor[];
  readonly attachments: readonly Digest[];
}

/**
 * Makes an index of `sources`, in their order, an image of the store by the name of `name`. Of images in registries only
 * manifests and configs are fetched; their layers come when somebody needs them. Throws what finding them throws, and
 * USAGE_INVALID when two are for the same platform.
 */
export async function createIndex(
  name: string,
  sources: readonly IndexSource[],
  annotations: readonly OutputAnnotation[],
  workshop: ImageWorkshop,
  openClient: () => Promise<RegistryClient>,
  signal: AbortSignal,
): Promise<Digest> {
  const { store } = workshop;
  const found: IndexParts[] = [];
  for (const source of sources) found.push(await partsOf(source, workshop, openClient, signal));
  const parts = found.flatMap((each) => each.parts);
  refuseTwice(parts);
  const described = parts.map(({ entry, image }) => ({ ...entry, ...annotated(entry, image.platform, annotations) }));
  const attached = new Map(found.flatMap((each) => each.attached.map((entry) => [entry.digest, entry] as const)));
  const bytes = serializeImageIndex({
    mediaType: mediaTypes.ociIndex,
    manifests: [...described, ...attached.values()],
    annotations: new Map(annotations.filter(({ level }) => level === "index").map(({ key, value }) => [key, value])),
  });
  await store.blobs.putBytes(bytes);
  const digest = digestOf(bytes);
  await store.images.tag(formatReference(parseReference(name)), {
    platforms: parts.map(({ image }) => image),
    createdAtMs: Date.now(),
    manifests: [...new Set([digest, ...parts.map(({ entry }) => entry.digest)])],
    attachments: [...new Set(found.flatMap((each) => each.attachments))],
  });
  return digest;
}

async function partsOf(
  source: IndexSource,
  workshop: ImageWorkshop,
  openClient: () => Promise<RegistryClient>,
  signal: AbortSignal,
): Promise<IndexParts> {
  const reference = parseReference(source.name);
  const stored = reference.digest === null ? await workshop.store.images.get(formatReference(reference)) : null;
  const found =
    stored === null
      ? await remoteParts(reference, workshop, await openClient(), signal)
      : await storedParts(stored, workshop, signal);
  const { platform } = source;
  if (platform === null) return found;
  const [only] = found.parts;
  if (only === undefined || found.parts.length > 1)
    throw new BuildError("USAGE_INVALID", `platform of ${source.name}: it has ${found.parts.length} images, want one`);
  const part = { entry: { ...only.entry, platform }, image: { ...only.image, platform } };
  return { ...found, parts: [part] };
}

async function storedParts(image: StoredImage, workshop: ImageWorkshop, signal: AbortSignal): Promise<IndexParts> {
  const { store, layers } = workshop;
  const oci = await storedOciImage(image, image.platforms, usualOciOptions, store.blobs, layers, signal);
  for (const bytes of oci.documents.values()) await store.blobs.putBytes(bytes);
  const parts = oci.manifests.map(({ descriptor, image: { platform, imageId, diffIds, annotations } }) => ({
    entry: descriptor,
    image: { platform, imageId, diffIds, annotations },
  }));
  return { parts, attached: oci.attached ?? [], attachments: image.attachments ?? [] };
}

async function remoteParts(
  reference: Reference,
  { store, layers }: ImageWorkshop,
  client: RegistryClient,
  signal: AbortSignal,
): Promise<IndexParts> {
  const registry = registrySource(client, store.blobs, reference);
  const root = await registry.resolve(signal);
  const source = { ...registry, resolve: async () => root };
  const images = await resolveAll(source, signal);
  for (const { layers: wanted, origin } of images)
    for (const { diffId, blob } of wanted) await layers.addRemote(diffId, blob, origin);
  const open = (blob: Descriptor): Promise<AsyncIterable<Uint8Array>> => client.openBlob(reference, blob, signal);
  const attachments = await attachmentsOf(root, images, source, store.blobs, open, () => {}, signal);
  const entries = root.root.kind === "index" ? root.root.index.manifests : [];
  const kept = new Set(attachments);
  const parts = images.map(({ manifest, config, imageId }) => {
    const platform = manifest.platform ?? config.platform;
    const { mediaType, digest, size } = manifest;
    return {
      entry: { mediaType, digest, size, platform },
      image: { platform, imageId, diffIds: config.diffIds, annotations: new Map<string, string>() },
    };
  });
  return { parts, attached: entries.filter(({ digest }) => kept.has(digest)), attachments };
}

function annotated(
  { annotations: before = {} }: Descriptor,
  platform: Platform,
  given: readonly OutputAnnotation[],
): Pick<Descriptor, "annotations"> {
  const own = given.filter((each) => each.level === "manifest-descriptor" && isForPlatform(each, platform));
  const all = { ...before, ...Object.fromEntries(own.map(({ key, value }) => [key, value])) };
  return Object.keys(all).length === 0 ? {} : { annotations: all };
}

function refuseTwice(parts: readonly IndexPart[]): void {
  const seen = new Set<string>();
  for (const { image } of parts) {
    const key = JSON.stringify(image.platform);
    if (seen.has(key))
      throw new BuildError("USAGE_INVALID", `index: two images are for ${formatPlatform(image.platform)}`, {
        hint: "say what one of them is for with --platform NAME=OS/ARCH",
      });
    seen.add(key);
  }
}
