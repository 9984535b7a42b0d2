import { type DiffId, type Digest, hexOf } from "../base/digest.ts";
import { isBuildError } from "../base/errors.ts";
import { parseImageConfig } from "../image/config-json.ts";
import type { ImageConfig } from "../image/image-config.ts";
import { largestConfigBytes } from "../image/image-document.ts";
import { formatReference, parseReference } from "../image/reference.ts";
import type { StoredImage } from "../store/image-store.ts";
import { LayerRecords } from "../store/layer-records.ts";
import type { Store } from "../store/open-store.ts";

/** The first twelve digits of an image ID, as docker shows it. */
export const shortId = (id: Digest): string => hexOf(id).slice(0, 12);

/** The config of a stored image. Throws BLOB_* when it is gone or broken. */
export async function readConfig(store: Store, imageId: Digest): Promise<ImageConfig> {
  return parseImageConfig(await store.blobs.readBytes(imageId, largestConfigBytes), `config ${imageId}`);
}

/** The images a user means by a name or by the beginning of an ID. Throws IMAGE_NOT_FOUND. */
export async function findImages(store: Store, text: string): Promise<readonly StoredImage[]> {
  try {
    const image = await store.images.get(formatReference(parseReference(text)));
    if (image !== null) return [image];
  } catch (error) {
    if (!isBuildError(error, "REFERENCE_INVALID")) throw error;
  }
  return store.images.find(text);
}

/** Size of layers without compression, in bytes; of the compressed blob for one that was never unpacked. */
export async function sizeOf(store: Store, diffIds: readonly DiffId[]): Promise<number> {
  const records = new LayerRecords(store.paths);
  const sizes = diffIds.map(async (diffId) => {
    const layer = await records.layer(diffId);
    if (layer !== null) return layer.sizeBytes;
    return ((await records.blobs(diffId))[0] ?? (await records.remotes(diffId))[0])?.blob.size ?? 0;
  });
  return (await Promise.all(sizes)).reduce((sum, sizeBytes) => sum + sizeBytes, 0);
}
