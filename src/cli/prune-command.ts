import { BuildError } from "../base/errors.ts";
import { prune } from "../store/prune.ts";
import { parseSize } from "./build-flags.ts";
import type { PruneOptions } from "./command-line.ts";
import { formatSize } from "./format-size.ts";
import { withSpinner } from "./spinner.ts";
import { withInterrupt } from "./with-interrupt.ts";
import { withStore } from "./with-store.ts";

/** `tsbuild prune`: frees what no image, container and wanted cache record needs. Images stay. */
export async function runPrune(options: PruneOptions): Promise<void> {
  const limits = {
    all: options.all === true,
    containers: options.containers === true,
    unusedSinceMs: options.until === undefined ? null : Date.now() - parseDurationMs(options.until),
    keepBytes: options.keepStorage === undefined ? null : parseSize("keep-storage", options.keepStorage),
  };
  const plan = await withInterrupt((signal) =>
    withStore(options, (store) =>
      withSpinner("pruning", (say) => prune(store, limits, signal, () => say("waiting for running builds"))),
    ),
  );
  process.stdout.write(
    `Removed ${plan.layers.length} layers, ${plan.blobs.length} blobs, ${plan.files.length} records\n` +
      `Total reclaimed space: ${formatSize(plan.freedBytes)}\n`,
  );
}

const units: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };

/** `90s`, `24h`, `7d`, `1h30m`; in milliseconds. */
export function parseDurationMs(text: string): number {
  const parts = /^(?:\d+[smhdw])+$/.test(text) ? [...text.matchAll(/(\d+)([smhdw])/g)] : [];
  if (parts.length === 0)
    throw new BuildError("USAGE_INVALID", `--until ${JSON.stringify(text)}: not a duration`, {
      hint: "durations look like 30m, 24h, 7d or 1h30m",
    });
  return parts.reduce((sum, [, count, unit]) => sum + Number(count) * (units[unit ?? ""] ?? 0) * 1000, 0);
}
