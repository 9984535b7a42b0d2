import { digestOf } from "../base/digest.ts";
import { parseImageConfig, serializeImageConfig } from "../image/config-json.ts";
import { imageStoreOutput } from "../output/image-store-output.ts";
import type { PlatformImage } from "../output/output.ts";
import { CacheRecords } from "../store/cache-records.ts";
import type { StoredImage } from "../store/image-store.ts";
import { type ImageWorkshop, takeOut } from "./image-workshop.ts";
import { findImage, layersBelow } from "./layers-below.ts";
import {
  reportSquash,
  type SquashedLayers,
  type SquashReport,
  squashedConfig,
  squashLayersFrom,
} from "./squash-layers.ts";

/** What became of a stored image. */
export interface SquashedImage {
  /** Image IDs, one a platform. */
  readonly imageIds: readonly string[];
  readonly reports: readonly SquashReport[];
}

/**
 * Merges the last layers of a stored image, on each of its platforms, and stores the result under `names`. `from` is how
 * many layers, or what they stand on: a diffID, or the beginning of one, or another image of the store; null: all
 * layers. Throws USAGE_INVALID when there is no such place in the image.
 */
export async function squashStoredImage(
  image: StoredImage,
  from: string | null,
  names: readonly string[],
  { store, layers, tasks }: ImageWorkshop,
  signal: AbortSignal,
): Promise<SquashedImage> {
  const records = new CacheRecords(store.paths, (diffId) => layers.has(diffId));
  const parts = { layers, tasks, records, ignoreCache: false };
  const base = from === null ? null : await findImage(from, store);
  const squashed: PlatformImage[] = [];
  const reports: SquashReport[] = [];
  for (const platform of image.platforms) {
    const whole = await takeOut(store, platform);
    const kept = from === null ? 0 : layersBelow(from, platform, base);
    const result = await squashLayersFrom(kept, whole.diffIds, parts, signal);
    reports.push(await reportSquash(whole.platform, whole.diffIds, result, layers));
    const { merged } = result;
    const config = merged === null ? whole.config : configOf(whole, result);
    const diffIds = merged === null ? whole.diffIds : [...whole.diffIds.slice(0, kept), merged];
    squashed.push({ ...whole, config, imageId: digestOf(config), diffIds });
  }
  await imageStoreOutput(names, store.images, store.blobs, Date.now).write(squashed, signal);
  return { imageIds: squashed.map(({ imageId }) => imageId), reports };
}

const configOf = ({ config }: PlatformImage, squashed: SquashedLayers): Uint8Array =>
  serializeImageConfig(squashedConfig(parseImageConfig(config), squashed));
