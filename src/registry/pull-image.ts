import type { DiffId, Digest } from "../base/digest.ts";
import { BuildError } from "../base/errors.ts";
import { parseImageConfig } from "../image/config-json.ts";
import type { Descriptor } from "../image/descriptor.ts";
import type { ImageConfig } from "../image/image-config.ts";
import { isImageEntry } from "../image/image-index.ts";
import { type ImageRoot, parseImageRoot } from "../image/image-root.ts";
import type { Manifest } from "../image/manifest.ts";
import { isIndexType, mediaTypes } from "../image/media-types.ts";
import { hostPlatform, type Platform, selectPlatform } from "../image/platform.ts";
import type { ImageSource } from "./image-source.ts";
import { deepestIndex } from "./limits.ts";

/** A layer of an image that is not fetched. */
export interface ResolvedLayer {
  readonly blob: Descriptor;
  readonly diffId: DiffId;
}

/** An image of one platform: everything but the content of its layers, verified. */
export interface ResolvedImage {
  /** What the name led to: an index, or the manifest itself. */
  readonly root: Descriptor;
  readonly manifest: Descriptor;
  readonly manifestBytes: Uint8Array;
  /** Digest of the config. */
  readonly imageId: Digest;
  readonly configBytes: Uint8Array;
  readonly config: ImageConfig;
  /** Lowest first; layers and diffIDs pair by position. */
  readonly layers: readonly ResolvedLayer[];
  /** What `RemoteBlobs.open` takes to open the layers. */
  readonly origin: string;
}

/**
 * Finds the image `source` has for `platform` and reads its manifest and config; no layer is fetched. The platform in
 * the result's config is the one the image claims: many images claim a wrong one, so it is for the caller to warn.
 * Throws SOURCE_*, PLATFORM_UNSUPPORTED with what there is, IMAGE_INVALID, BLOB_DIGEST_MISMATCH, BLOB_TOO_LARGE.
 */
export async function resolveImage(
  source: ImageSource,
  platform: Platform,
  signal: AbortSignal,
): Promise<ResolvedImage> {
  const { descriptor: root, bytes, root: document } = await source.resolve(signal);
  const found = await descend(source, { descriptor: root, bytes, document }, platform, signal);
  const configBytes = await source.fetch(found.manifest.config, "config", signal);
  const config = parseImageConfig(configBytes, `config of ${source.name}`);
  return {
    root,
    manifest: found.descriptor,
    manifestBytes: found.bytes,
    imageId: found.manifest.config.digest,
    configBytes,
    config,
    layers: pairLayers(found.manifest, config, source.name),
    origin: source.origin,
  };
}

/** Every image `source` has, in the order of its index. Throws as `resolveImage` does, and for indexes in indexes. */
export async function resolveAll(source: ImageSource, signal: AbortSignal): Promise<readonly ResolvedImage[]> {
  const { descriptor, root } = await source.resolve(signal);
  if (root.kind === "manifest") return [await resolveImage(source, hostPlatform(), signal)];
  const entries = root.index.manifests.filter(isImageEntry);
  if (entries.length === 0) throw new BuildError("IMAGE_INVALID", `index of ${source.name}: names no image`);
  const images: ResolvedImage[] = [];
  for (const entry of entries) {
    const image = await resolveImage(entrySource(source, entry), hostPlatform(), signal);
    images.push({ ...image, root: descriptor });
  }
  return images;
}

/** One entry of an index as a source of its own. */
function entrySource(source: ImageSource, entry: Descriptor): ImageSource {
  return {
    ...source,
    async resolve(signal) {
      if (isIndexType(entry.mediaType))
        throw new BuildError(
          "SOURCE_INVALID",
          `index of ${source.name}: names an index, which has no platform of its own`,
        );
      const bytes = await source.fetch(entry, "manifest", signal);
      const subject = `manifest ${entry.digest} of ${source.name}`;
      return { descriptor: entry, bytes, root: parseImageRoot(bytes, entry.mediaType, subject) };
    },
  };
}

interface Found {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
  readonly document: ImageRoot;
}

/** From an index, or an index in an index, down to the manifest of `platform`. */
async function descend(
  source: ImageSource,
  start: Found,
  platform: Platform,
  signal: AbortSignal,
): Promise<Omit<Found, "document"> & { readonly manifest: Manifest }> {
  let { descriptor, bytes, document } = start;
  for (let depth = 0; document.kind === "index"; depth += 1) {
    if (depth >= deepestIndex) {
      throw new BuildError("IMAGE_INVALID", `index of ${source.name}: nested deeper than ${deepestIndex}`);
    }
    descriptor = selectPlatform(document.index.manifests.filter(isImageEntry), platform, source.name);
    bytes = await source.fetch(descriptor, "manifest", signal);
    if (bytes.length !== descriptor.size) {
      throw new BuildError(
        "IMAGE_INVALID",
        `manifest ${descriptor.digest}: got ${bytes.length} bytes, want ${descriptor.size}`,
      );
    }
    document = parseImageRoot(bytes, descriptor.mediaType, `manifest ${descriptor.digest} of ${source.name}`);
  }
  return { descriptor, bytes, manifest: document.manifest };
}

function pairLayers(manifest: Manifest, config: ImageConfig, name: string): readonly ResolvedLayer[] {
  const { layers } = manifest;
  if (layers.length !== config.diffIds.length) {
    throw new BuildError(
      "IMAGE_INVALID",
      `image ${name}: got ${config.diffIds.length} diffIDs, want ${layers.length} as there are layers`,
    );
  }
  const foreign = layers.find((layer) => isForeign(layer.mediaType));
  if (foreign !== undefined) {
    throw new BuildError("SOURCE_INVALID", `image ${name}: layer ${foreign.digest} is not distributed by registries`, {
      hint: "it would have to be fetched from an address the image names, which is not done",
    });
  }
  return config.diffIds.flatMap((diffId, at) => {
    const blob = layers[at];
    return blob === undefined ? [] : [{ blob, diffId }];
  });
}

const isForeign = (mediaType: string): boolean =>
  mediaType === mediaTypes.dockerForeignLayer || mediaType.includes(".nondistributable.");
