import { familiarReference, parseReference, type Reference } from "../image/reference.ts";
import type { BlobStore } from "../store/blob-store.ts";
import type { ImageStore } from "../store/image-store.ts";
import type { LayerStore } from "../store/layer-store.ts";
import { makeOciImage, type OciImage, type OciOptions } from "./oci-image.ts";
import type { Output } from "./output.ts";
import { type Push, pushContentOf } from "./push-content-of.ts";

export interface RegistryOptions extends OciOptions {
  /** Full references. */
  readonly names: readonly string[];
}

/** Images in registries; with `store` also in the image store, where they are even if a push fails. */
export function registryOutput(
  options: RegistryOptions,
  store: Output | null,
  push: Push,
  layers: LayerStore,
  blobs: BlobStore,
  images: ImageStore,
): Output {
  return {
    async write(built, signal) {
      const references = options.names.map(parseReference);
      const image = await makeOciImage(built, options, layers, signal);
      await store?.write(built, signal);
      await push(await pushContentOf(image, layers, blobs), references, signal);
      if (store !== null) await keepManifests(image, options.names, blobs, images);
      return { manifest: image.root.digest, summary: pushedSummary(references, image) };
    },
  };
}

const pushedSummary = (references: readonly Reference[], { root }: OciImage): string =>
  references.map((reference) => `pushed ${familiarReference(reference)} ${root.digest}`).join("\n");

/** Notes by which digests registries now know stored images. */
export async function keepManifests(
  image: OciImage,
  names: readonly string[],
  blobs: BlobStore,
  images: ImageStore,
): Promise<void> {
  const digests = [
    ...new Set([image.root, ...image.manifests.map(({ descriptor }) => descriptor)].map(({ digest }) => digest)),
  ];
  const imageIds = new Set(image.manifests.map((manifest) => manifest.image.imageId));
  for (const digest of digests) {
    const bytes = image.documents.get(digest);
    if (bytes !== undefined) await blobs.putBytes(bytes);
  }
  for (const name of names) {
    const stored = await images.get(name);
    if (stored === null || !stored.platforms.some(({ imageId }) => imageIds.has(imageId))) continue;
    await images.tag(name, { ...stored, manifests: [...new Set([...digests, ...stored.manifests])] });
  }
}
