import { measureStore } from "../store/disk-usage.ts";
import type { DuOptions } from "./command-line.ts";
import { formatSize } from "./format-size.ts";
import { formatTable } from "./format-table.ts";
import { formatAge } from "./format-time.ts";
import { withStore } from "./with-store.ts";

/** `tsbuild du`: what the store takes, by kind; with -v every layer too. */
export async function runDu(options: DuOptions): Promise<void> {
  const usage = await withStore(options, measureStore);
  const kinds = usage.kinds.map(({ kind, count, sizeBytes, reclaimableBytes }) => [
    kind,
    String(count),
    formatSize(sizeBytes),
    formatSize(reclaimableBytes),
  ]);
  if (options.verbose === true) {
    const layers = usage.layers.map(({ diffId, sizeBytes, isInImage, usedAtMs, description }) => [
      diffId.slice("sha256:".length, "sha256:".length + 12),
      formatSize(sizeBytes),
      isInImage ? "image" : "cache",
      usedAtMs === null ? "" : formatAge((Date.now() - usedAtMs) / 1000),
      description.replaceAll(/\s+/g, " ").slice(0, 60),
    ]);
    process.stdout.write(`${formatTable(["LAYER", "SIZE", "KEPT FOR", "LAST USED", "MADE BY"], layers)}\n`);
  }
  process.stdout.write(formatTable(["TYPE", "COUNT", "SIZE", "RECLAIMABLE"], kinds));
  process.stdout.write(
    `\nTotal ${formatSize(usage.sizeBytes)}, "tsbuild prune --all" frees ${formatSize(usage.reclaimableBytes)}\n`,
  );
}
