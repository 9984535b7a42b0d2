import { type DiffId, type Digest, digestOf } from "../base/digest.ts";
import { parseImageConfig } from "../image/config-json.ts";
import type { Descriptor } from "../image/descriptor.ts";
import { serializeImageIndex } from "../image/image-index.ts";
import { type Manifest, parseManifest, serializeManifest } from "../image/manifest.ts";
import { type Compression, mediaTypes } from "../image/media-types.ts";
import { compressionOf } from "../store/blob-format.ts";
import type { LayerStore } from "../store/layer-store.ts";
import type { PlatformImage } from "./output.ts";
import { type AnnotationLevel, isForPlatform, type OutputAnnotation } from "./output-annotation.ts";
import type { LayerCompression } from "./parse-output-flag.ts";

/** How images become manifests. */
export interface OciOptions {
  readonly compression: LayerCompression;
  readonly annotations: readonly OutputAnnotation[];
  readonly ociMediaTypes: boolean;
}

/** Images as they leave the machine: everything is here or, layers, in the blob store. */
export interface OciImage {
  /** Of the manifest, or of the index if there are several platforms. */
  readonly root: Descriptor;
  readonly manifests: readonly OciManifest[];
  /** Of an index an image came with: the manifests in it that are no images, attestations for example. */
  readonly attached?: readonly Descriptor[];
  /** Configs, manifests and index by digest. */
  readonly documents: ReadonlyMap<Digest, Uint8Array>;
  /** Each once; blobs of the blob store. */
  readonly layers: readonly Descriptor[];
  /** The latest `created` of the configs, as they have it. */
  readonly created: string | null;
}

export interface OciManifest {
  readonly image: PlatformImage;
  readonly descriptor: Descriptor;
  readonly config: Descriptor;
  /** Lowest first. */
  readonly layers: readonly Descriptor[];
}

const layerTypes: Readonly<Record<"oci" | "docker", Readonly<Record<Compression, string>>>> = {
  oci: { none: mediaTypes.ociLayer, gzip: mediaTypes.ociLayerGzip, zstd: mediaTypes.ociLayerZstd },
  docker: {
    none: "application/vnd.docker.image.rootfs.diff.tar",
    gzip: mediaTypes.dockerLayerGzip,
    zstd: mediaTypes.ociLayerZstd,
  },
};

/** Compresses the layers of `images` where that is needed and writes their manifests, with several platforms an index. */
export async function makeOciImage(
  images: readonly PlatformImage[],
  options: OciOptions,
  layerStore: LayerStore,
  signal: AbortSignal,
): Promise<OciImage> {
  const documents = new Map<Digest, Uint8Array>();
  const add = (mediaType: string, bytes: Uint8Array): Descriptor => {
    const digest = digestOf(bytes);
    documents.set(digest, bytes);
    return { mediaType, digest, size: bytes.length };
  };
  const manifests = await Promise.all(images.map((image) => makeManifest(image, options, layerStore, add, signal)));
  const [only] = manifests;
  return {
    root: manifests.length === 1 && only !== undefined ? only.descriptor : makeIndex(manifests, options, add),
    manifests,
    documents,
    layers: [...new Map(manifests.flatMap(({ layers }) => layers).map((layer) => [layer.digest, layer])).values()],
    created: latestCreated(images),
  };
}

type AddDocument = (mediaType: string, bytes: Uint8Array) => Descriptor;

async function makeManifest(
  image: PlatformImage,
  options: OciOptions,
  layerStore: LayerStore,
  add: AddDocument,
  signal: AbortSignal,
): Promise<OciManifest> {
  const { format, force } = options.compression;
  const types = layerTypes[options.ociMediaTypes ? "oci" : "docker"];
  const came =
    image.manifest === undefined ? null : { bytes: image.manifest, manifest: parseManifest(image.manifest, null) };
  const blobs = await Promise.all(
    image.diffIds.map(async (diffId, at) => {
      const digest = came?.manifest.layers[at]?.digest;
      const original = force || digest === undefined ? null : await layerStore.originalBlob(diffId, digest, signal);
      return original ?? layerStore.blob(diffId, format, signal, force);
    }),
  );
  const layers = blobs.map(({ mediaType, digest, size }, at) => {
    const own = image.layerAnnotations?.get(image.diffIds[at] as DiffId);
    const layer = { mediaType: types[compressionOf(mediaType)], digest, size };
    return own === undefined ? layer : { ...layer, annotations: own };
  });
  if (came !== null && options.annotations.length === 0 && hasLayers(came.manifest, layers)) {
    add(came.manifest.config.mediaType, image.config);
    const manifest = add(came.manifest.mediaType, came.bytes);
    const { config, layers: keptLayers } = came.manifest;
    return { image, descriptor: { ...manifest, platform: image.platform }, config, layers: keptLayers };
  }
  const config = add(options.ociMediaTypes ? mediaTypes.ociConfig : mediaTypes.dockerConfig, image.config);
  const mediaType = options.ociMediaTypes ? mediaTypes.ociManifest : mediaTypes.dockerManifest;
  const annotations = new Map([...image.annotations, ...annotationsFor("manifest", image, options)]);
  const manifest = add(mediaType, serializeManifest({ mediaType, config, layers, annotations }));
  const own = annotationsFor("manifest-descriptor", image, options);
  return {
    image,
    descriptor: {
      ...manifest,
      platform: image.platform,
      ...(own.length === 0 ? {} : { annotations: Object.fromEntries(own) }),
    },
    config,
    layers,
  };
}

const hasLayers = (manifest: Manifest, layers: readonly Descriptor[]): boolean =>
  manifest.layers.length === layers.length && manifest.layers.every(({ digest }, at) => digest === layers[at]?.digest);

function makeIndex(manifests: readonly OciManifest[], options: OciOptions, add: AddDocument): Descriptor {
  const mediaType = options.ociMediaTypes ? mediaTypes.ociIndex : mediaTypes.dockerIndex;
  const index = add(
    mediaType,
    serializeImageIndex({
      mediaType,
      manifests: manifests.map(({ descriptor }) => descriptor),
      annotations: new Map(annotationsFor("index", null, options)),
    }),
  );
  const own = annotationsFor("index-descriptor", null, options);
  return own.length === 0 ? index : { ...index, annotations: Object.fromEntries(own) };
}

function annotationsFor(
  level: AnnotationLevel,
  image: PlatformImage | null,
  options: OciOptions,
): readonly (readonly [string, string])[] {
  return options.annotations
    .filter((given) => given.level === level && (image === null || isForPlatform(given, image.platform)))
    .map(({ key, value }) => [key, value] as const);
}

function latestCreated(images: readonly PlatformImage[]): string | null {
  let latest: string | null = null;
  for (const image of images) {
    const { created } = parseImageConfig(image.config);
    if (created !== null && (latest === null || Date.parse(created) > Date.parse(latest))) latest = created;
  }
  return latest;
}
