import { type DiffId, digestOf, hexOf } from "../base/digest.ts";
import { BuildError, isBuildError } from "../base/errors.ts";
import { parseImageConfig, serializeImageConfig } from "../image/config-json.ts";
import { formatPlatform, isSamePlatform, type Platform } from "../image/platform.ts";
import { formatReference, parseReference } from "../image/reference.ts";
import { imageStoreOutput } from "../output/image-store-output.ts";
import type { PlatformImage } from "../output/output.ts";
import { CacheRecords } from "../store/cache-records.ts";
import type { StoredImage, StoredPlatformImage } from "../store/image-store.ts";
import { type ImageWorkshop, takeOut } from "./image-workshop.ts";
import { reportSquash, type SquashReport, squashedConfig, squashLayersFrom } from "./squash-layers.ts";

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
  const base = from === null ? null : await findImage(from);
  const squashed: PlatformImage[] = [];
  const reports: SquashReport[] = [];
  for (const platform of image.platforms) {
    const whole = await takeOut(store, platform);
    const kept = from === null ? 0 : keptLayers(from, platform, base);
    const result = await squashLayersFrom(kept, whole.diffIds, parts, signal);
    reports.push(await reportSquash(whole.platform, whole.diffIds, result, layers));
    const config = result.merged === null ? whole.config : squashedBytes(whole.config);
    const diffIds = result.merged === null ? whole.diffIds : [...whole.diffIds.slice(0, kept), result.merged];
    squashed.push({ ...whole, config, imageId: digestOf(config), diffIds });

    function squashedBytes(bytes: Uint8Array): Uint8Array {
      return serializeImageConfig(squashedConfig(parseImageConfig(bytes), result));
    }
  }
  await imageStoreOutput(names, store.images, store.blobs, Date.now).write(squashed, signal);
  return { imageIds: squashed.map(({ imageId }) => imageId), reports };

  async function findImage(text: string): Promise<StoredImage | null> {
    try {
      const named = await store.images.get(formatReference(parseReference(text)));
      return named ?? (await store.images.find(text))[0] ?? null;
    } catch (error) {
      if (isBuildError(error, "REFERENCE_INVALID") || isBuildError(error, "IMAGE_NOT_FOUND")) return null;
      throw error;
    }
  }
}

/** How many of the layers of `image` stay below what is merged. */
function keptLayers(from: string, image: StoredPlatformImage, base: StoredImage | null): number {
  const { diffIds, platform } = image;
  if (/^\d{1,3}$/.test(from)) {
    const count = Number(from);
    if (count <= diffIds.length) return diffIds.length - count;
    throw invalid(from, platform, `the image has ${diffIds.length} layers`);
  }
  const prefix = from.replace(/^sha256:/, "");
  const found = /^[0-9a-f]{4,64}$/.test(prefix)
    ? diffIds.findLastIndex((diffId) => hexOf(diffId).startsWith(prefix))
    : -1;
  if (found >= 0) return found + 1;
  const lower = base?.platforms.find((one) => isSamePlatform(one.platform, platform));
  if (lower === undefined) throw invalid(from, platform, "is no number, layer or image of the store");
  if (isBeginning(lower.diffIds, diffIds)) return lower.diffIds.length;
  throw invalid(from, platform, "the image does not stand on it");
}

const isBeginning = (lower: readonly DiffId[], all: readonly DiffId[]): boolean =>
  lower.every((diffId, at) => diffId === all[at]);

const invalid = (from: string, platform: Platform, problem: string): BuildError =>
  new BuildError("USAGE_INVALID", `--from ${JSON.stringify(from)}: ${formatPlatform(platform)}: ${problem}`, {
    hint: '"tsbuild inspect" lists the layers of an image as rootfs.diff_ids',
  });
