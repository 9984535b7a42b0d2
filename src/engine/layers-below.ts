import { type DiffId, hexOf } from "../base/digest.ts";
import { BuildError, isBuildError } from "../base/errors.ts";
import { formatPlatform, isSamePlatform, type Platform } from "../image/platform.ts";
import { formatReference, parseReference } from "../image/reference.ts";
import type { StoredImage, StoredPlatformImage } from "../store/image-store.ts";
import type { Store } from "../store/open-store.ts";

/** The image of the store that `text` names, by reference or ID; null for none. */
export async function findImage(text: string, { images }: Store): Promise<StoredImage | null> {
  try {
    return (await images.get(formatReference(parseReference(text)))) ?? (await images.find(text))[0] ?? null;
  } catch (error) {
    if (isBuildError(error, "REFERENCE_INVALID") || isBuildError(error, "IMAGE_NOT_FOUND")) return null;
    throw error;
  }
}

/**
 * How many of the layers of `image` lie below the place `from` names: so many layers from the top, the diffID below it,
 * or the beginning of one, or the image `base` of that name. Throws USAGE_INVALID when the image has no such place.
 */
export function layersBelow(from: string, image: StoredPlatformImage, base: StoredImage | null): number {
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
