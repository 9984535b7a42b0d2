import { BuildError } from "../base/errors.ts";
import { familiarReference } from "../image/reference.ts";
import type { Store } from "../store/open-store.ts";
import { prune } from "../store/prune.ts";
import { parseSize } from "./build-flags.ts";
import { formatSize } from "./format-size.ts";
import { labelFilter, parseImageFilters } from "./image-filter.ts";
import { listImageRows } from "./image-rows.ts";
import { parseMoment } from "./parse-moment.ts";
import { withSpinner } from "./spinner.ts";
import type { PruneOptions } from "./store-commands.ts";
import { withInterrupt } from "./with-interrupt.ts";
import { withStore } from "./with-store.ts";

/** `tsbuild prune`: frees what no image, container and wanted cache record needs; images only when asked to. */
export async function runPrune(options: PruneOptions): Promise<void> {
  const nowMs = Date.now();
  checkFilters(options);
  const limit = options.keepStorage ?? options.maxUsedSpace;
  const limits = {
    all: options.all === true,
    containers: options.containers === true,
    unusedSinceMs: oldestOf(options, nowMs),
    keepBytes: limit === undefined ? null : parseSize("keep-storage", limit),
  };
  const { names, plan } = await withInterrupt((signal) =>
    withStore(options, async (store) => {
      const names = options.images === true ? await untagImages(store, options, nowMs) : [];
      const plan = await withSpinner("pruning", (say) =>
        prune(store, limits, signal, () => say("waiting for running builds")),
      );
      return { names, plan };
    }),
  );
  process.stdout.write(
    `${names.map((name) => `Untagged: ${name}\n`).join("")}` +
      `Removed ${plan.layers.length} layers, ${plan.blobs.length} blobs, ${plan.files.length} records\n` +
      `Total reclaimed space: ${formatSize(plan.freedBytes)}\n`,
  );
}

const valuesOf = (options: PruneOptions, name: string): readonly string[] =>
  options.filter.filter((flag) => flag.startsWith(`${name}=`)).map((flag) => flag.slice(name.length + 1));

/** Throws USAGE_INVALID for filters that are not known, and for those of images when images are not meant. */
function checkFilters({ filter, images }: PruneOptions): void {
  for (const flag of filter) {
    const name = /^(?:until|label!?|reference)(?==)/.exec(flag)?.[0];
    if (name === undefined)
      throw new BuildError("USAGE_INVALID", `--filter ${JSON.stringify(flag)}: unknown filter`, {
        hint: "filters are until=, label=, label!= and reference=",
      });
    if (name !== "until" && images !== true)
      throw new BuildError("USAGE_INVALID", `--filter ${JSON.stringify(flag)}: build cache has none`, {
        hint: "choose images by it with --images",
      });
  }
}

/** The earliest moment that is given; null for none. */
function oldestOf(options: PruneOptions, nowMs: number): number | null {
  const given = [
    ...(options.until === undefined ? [] : [parseMoment(options.until, "--until", nowMs)]),
    ...valuesOf(options, "until").map((text) => parseMoment(text, "--filter until", nowMs)),
  ];
  return given.length === 0 ? null : Math.min(...given);
}

/** Takes the names of images away that the filters fit and that no container was made of; these names. */
async function untagImages(store: Store, options: PruneOptions, nowMs: number): Promise<readonly string[]> {
  const needed = new Set((await store.containers.list()).map(({ imageId }) => imageId));
  const plain = options.filter.filter((flag) => !flag.startsWith("label!="));
  const until = options.until === undefined ? [] : [`until=${options.until}`];
  const isWanted = await parseImageFilters([...plain, ...until], store, nowMs);
  const isSpared = valuesOf(options, "label!").map(labelFilter);
  const rows = await listImageRows(store);
  const kept = new Set(
    rows
      .filter((row) => needed.has(row.platform.imageId) || !isWanted(row) || isSpared.some((fits) => fits(row)))
      .map(({ image }) => image.reference),
  );
  const doomed = rows.filter(({ image }) => !kept.has(image.reference));
  for (const { image } of doomed) await store.images.untag(image.reference);
  return [...new Set(doomed.map(({ reference }) => familiarReference(reference)))];
}
