import { createReadStream } from "node:fs";
import type { Digest } from "../base/digest.ts";
import { BuildError } from "../base/errors.ts";
import type { Descriptor } from "../image/descriptor.ts";
import type { Reference } from "../image/reference.ts";
import { layoutOriginPrefix } from "../registry/image-source.ts";
import type { PushBlob, PushContent, PushManifest } from "../registry/push-content.ts";
import type { BlobStore } from "../store/blob-store.ts";
import type { LayerStore } from "../store/layer-store.ts";
import type { OciImage } from "./oci-image.ts";

/** Puts an image into registries under every one of `references`. Throws SOURCE_* and BLOB_DIGEST_MISMATCH. */
export type Push = (content: PushContent, references: readonly Reference[], signal: AbortSignal) => Promise<void>;

/** An image as it goes to a registry: layers are read from the blob store when they are sent. */
export async function pushContentOf(image: OciImage, layers: LayerStore, blobs: BlobStore): Promise<PushContent> {
  const content = new Map<Digest, PushBlob>();
  for (const manifest of image.manifests) {
    content.set(manifest.config.digest, documentBlob(manifest.config, documentOf(image, manifest.config.digest)));
    for (const [at, layer] of manifest.layers.entries()) {
      if (content.has(layer.digest)) continue;
      const diffId = manifest.image.diffIds[at];
      const origins = diffId === undefined ? [] : await layers.origins(diffId, layer.digest);
      const inRegistries = origins.filter((origin) => !origin.startsWith(layoutOriginPrefix));
      content.set(layer.digest, storedBlob(layer, inRegistries, blobs));
    }
  }
  for (const layer of image.layers)
    if (!content.has(layer.digest)) content.set(layer.digest, storedBlob(layer, [], blobs));
  const manifestOf = (descriptor: Descriptor): PushManifest => ({
    descriptor,
    bytes: documentOf(image, descriptor.digest),
  });
  const below = [...image.manifests.map(({ descriptor }) => descriptor), ...(image.attached ?? [])].filter(
    ({ digest }) => digest !== image.root.digest,
  );
  return {
    blobs: [...content.values()],
    manifests: below.map(manifestOf),
    root: manifestOf(image.root),
  };
}

function documentOf(image: OciImage, digest: Digest): Uint8Array {
  const bytes = image.documents.get(digest);
  if (bytes === undefined) throw new BuildError("INTERNAL", `document ${digest} was not made`);
  return bytes;
}

function documentBlob(descriptor: Descriptor, bytes: Uint8Array): PushBlob {
  return {
    descriptor,
    async *open(start, end) {
      yield bytes.subarray(start, end);
    },
    verify: async () => {},
    origins: [],
  };
}

const readBytes = 1024 * 1024;

function storedBlob(descriptor: Descriptor, origins: readonly string[], blobs: BlobStore): PushBlob {
  const { digest } = descriptor;
  return {
    descriptor,
    async *open(start, end) {
      try {
        yield* createReadStream(blobs.path(digest), { start, end: end - 1, highWaterMark: readBytes });
      } catch (cause) {
        throw new BuildError("BLOB_NOT_FOUND", `blob ${digest}: cannot be read`, { cause });
      }
    },
    async verify() {
      for await (const _ of blobs.read(digest));
    },
    origins,
  };
}
