import type { SquashReport } from "../engine/squash-layers.ts";
import { formatPlatform } from "../image/platform.ts";
import { formatSize } from "./format-size.ts";

/** What squashing did, in one line: `linux/amd64: merged 4 of 6 layers, 120MB to 95MB (saved 25MB)`. */
export function renderSquash({ platform, mergedLayers, keptLayers, beforeBytes, afterBytes }: SquashReport): string {
  const name = formatPlatform(platform);
  if (mergedLayers < 2)
    return `${name}: nothing merged, ${mergedLayers} of ${keptLayers + mergedLayers} layers to merge; nothing saved`;
  const merged = `${name}: merged ${mergedLayers} of ${keptLayers + mergedLayers} layers`;
  const sizes = `${formatSize(beforeBytes)} to ${formatSize(afterBytes)}`;
  const savedBytes = beforeBytes - afterBytes;
  return `${merged}, ${sizes} (${savedBytes > 0 ? `saved ${formatSize(savedBytes)}` : "nothing saved"})`;
}
