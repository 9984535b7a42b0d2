import { BuildError } from "../base/errors.ts";
import { parseImageRoot } from "../image/image-root.ts";
import { formatReference, parseReference } from "../image/reference.ts";
import { storedOciImage, usualOciOptions } from "../output/stored-oci-image.ts";
import type { FetchedManifest, RegistryClient } from "../registry/registry-client.ts";
import type { ImageWorkshop } from "./image-workshop.ts";

/**
 * The manifest or index `name` leads to: of the image of the store as it would be pushed, else, and always with
 * `isRemote`, of the registry. Nothing is changed. Throws SOURCE_*, IMAGE_INVALID.
 */
export async function findManifest(
  name: string,
  isRemote: boolean,
  { store, layers }: ImageWorkshop,
  openClient: () => Promise<RegistryClient>,
  signal: AbortSignal,
): Promise<FetchedManifest> {
  const reference = parseReference(name);
  const image = isRemote || reference.digest !== null ? null : await store.images.get(formatReference(reference));
  if (image === null) return (await openClient()).fetchManifest(reference, signal);
  const oci = await storedOciImage(image, image.platforms, usualOciOptions, store.blobs, layers, signal);
  const bytes = oci.documents.get(oci.root.digest);
  if (bytes === undefined) throw new BuildError("INTERNAL", `manifest ${oci.root.digest} was not made`);
  return { descriptor: oci.root, bytes, root: parseImageRoot(bytes, oci.root.mediaType, `manifest of ${name}`) };
}
