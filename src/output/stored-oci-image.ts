import type { Digest } from "../base/digest.ts";
import { isBuildError } from "../base/errors.ts";
import { parseAttachedManifest } from "../image/attached-manifest.ts";
import type { Descriptor } from "../image/descriptor.ts";
import { largestConfigBytes, largestManifestBytes } from "../image/image-document.ts";
import { isImageEntry } from "../image/image-index.ts";
import { type ImageRoot, mediaTypeOf, parseImageRoot } from "../image/image-root.ts";
import { isManifestType } from "../image/media-types.ts";
import type { BlobStore } from "../store/blob-store.ts";
import type { StoredImage, StoredPlatformImage } from "../store/image-store.ts";
import type { LayerStore } from "../store/layer-store.ts";
import { makeOciImage, type OciImage, type OciOptions } from "./oci-image.ts";
import type { PlatformImage } from "./output.ts";

/** How images leave when nothing else is asked for: as they came, and with gzip if they were made here. */
export const usualOciOptions: OciOptions = {
  compression: { format: { compression: "gzip", level: null }, force: false },
  annotations: [],
  ociMediaTypes: true,
};

/**
 * An image of the store as it leaves the machine, for some or all of its platforms. What came from elsewhere and was not
 * changed keeps its manifests, and its index too if everything that names is here.
 */
export async function storedOciImage(
  image: StoredImage,
  platforms: readonly StoredPlatformImage[],
  options: OciOptions,
  blobs: BlobStore,
  layers: LayerStore,
  signal: AbortSignal,
): Promise<OciImage> {
  const known = await knownDocuments(image, blobs);
  const given = await Promise.all(platforms.map((each) => takeOut(each, known, blobs)));
  const made = await makeOciImage(given, options, layers, signal);
  if (options.annotations.length > 0) return made;
  for (const document of known) {
    const whole = await withIndex(made, document, blobs);
    if (whole !== null) return whole;
  }
  return made;
}

interface KnownDocument {
  readonly digest: Digest;
  readonly bytes: Uint8Array;
  readonly root: ImageRoot;
}

/** The manifests and indexes an image is known by, as far as they are in the store. */
async function knownDocuments(image: StoredImage, blobs: BlobStore): Promise<readonly KnownDocument[]> {
  const found: KnownDocument[] = [];
  for (const digest of image.manifests) {
    try {
      const bytes = await blobs.readBytes(digest, largestManifestBytes);
      found.push({ digest, bytes, root: parseImageRoot(bytes, null, `manifest ${digest}`) });
    } catch (error) {
      if (!isBuildError(error)) throw error;
    }
  }
  return found;
}

async function takeOut(
  { platform, imageId, diffIds, annotations }: StoredPlatformImage,
  known: readonly KnownDocument[],
  blobs: BlobStore,
): Promise<PlatformImage> {
  const config = await blobs.readBytes(imageId, largestConfigBytes);
  const own = known.find(({ root }) => root.kind === "manifest" && root.manifest.config.digest === imageId);
  const image = { platform, config, imageId, diffIds, annotations };
  return own === undefined ? image : { ...image, manifest: own.bytes };
}

/** `made` under the index it came with; null unless the index names all of it, and nothing that is not in the store. */
async function withIndex(
  made: OciImage,
  { digest, bytes, root }: KnownDocument,
  blobs: BlobStore,
): Promise<OciImage | null> {
  if (root.kind !== "index") return null;
  const entries = root.index.manifests;
  if (!made.manifests.every(({ descriptor }) => entries.some((entry) => entry.digest === descriptor.digest)))
    return null;
  const documents = new Map(
    [...made.documents].filter(([known]) => known !== made.root.digest || made.manifests.length === 1),
  );
  documents.set(digest, bytes);
  const attached: Descriptor[] = [];
  const layers = new Map(made.layers.map((layer) => [layer.digest, layer]));
  for (const entry of entries) {
    if (documents.has(entry.digest)) continue;
    if (isImageEntry(entry) || !isManifestType(entry.mediaType) || !(await blobs.has(entry))) return null;
    const manifest = await blobs.readBytes(entry.digest, largestManifestBytes);
    for (const blob of parseAttachedManifest(manifest, `manifest ${entry.digest}`)) {
      if (!(await blobs.has(blob))) return null;
      layers.set(blob.digest, blob);
    }
    documents.set(entry.digest, manifest);
    attached.push(entry);
  }
  const index = { mediaType: mediaTypeOf(root), digest, size: bytes.length };
  return { ...made, root: index, documents, attached, layers: [...layers.values()] };
}
