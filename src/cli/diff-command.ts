import { diffLayers, type LayerDiff } from "../engine/diff-layers.ts";
import { openImageTree } from "../engine/image-tree.ts";
import { type ImageWorkshop, withImageWorkshop } from "../engine/image-workshop.ts";
import { findImage, layersBelow } from "../engine/layers-below.ts";
import { compareTrees, type TreeChange } from "../layer/compare-trees.ts";
import { chooseImage, choosePlatform } from "./choose-images.ts";
import type { DiffOptions } from "./content-commands.ts";
import { formatSize } from "./format-size.ts";
import { storeRoot } from "./store-root.ts";
import { withInterrupt } from "./with-interrupt.ts";
import { writeLines, writeText } from "./write-lines.ts";

const letters: Readonly<Record<TreeChange["kind"], string>> = { added: "A", changed: "C", removed: "D" };

/**
 * `tsbuild diff`: the paths at which the file systems of two images differ, as `docker diff` prints them; of one image
 * what each of its layers changes, with sizes.
 */
export async function runDiff(before: string, after: string | undefined, options: DiffOptions): Promise<void> {
  const settings = { root: storeRoot(options.root), environment: process.env };
  await withInterrupt((signal) =>
    withImageWorkshop(settings, signal, (workshop) =>
      after === undefined
        ? printLayers(before, options, workshop, signal)
        : printDifference(before, after, options, workshop, signal),
    ),
  );
}

async function printDifference(
  before: string,
  after: string,
  { platform, format }: DiffOptions,
  workshop: ImageWorkshop,
  signal: AbortSignal,
): Promise<void> {
  const open = async (name: string) => {
    const { image } = await chooseImage(workshop.store, name);
    return openImageTree(choosePlatform(image, platform), workshop, signal);
  };
  const changes = [...compareTrees(await open(before), await open(after))];
  if (format === "json") writeJson(changes.map(changeToJson));
  else writeLines(changes.map(({ kind, path }) => `${letters[kind]} /${path}`));
}

async function printLayers(
  name: string,
  { platform, format, from }: DiffOptions,
  workshop: ImageWorkshop,
  signal: AbortSignal,
): Promise<void> {
  const { image } = await chooseImage(workshop.store, name);
  const chosen = choosePlatform(image, platform);
  // What the lowest layer adds is all of it, and mostly a base image's.
  const lowest = Math.min(1, chosen.diffIds.length - 1);
  const skipped =
    from === undefined ? Math.max(0, lowest) : layersBelow(from, chosen, await findImage(from, workshop.store));
  const described: object[] = [];
  for await (const layer of diffLayers(chosen, skipped, workshop, signal)) {
    if (format === "json") described.push(layerToJson(layer));
    else writeLayer(layer, chosen.diffIds.length);
  }
  if (format === "json") writeJson(described);
}

function writeLayer({ number, diffId, sizeBytes, createdBy, changes }: LayerDiff, layerCount: number): void {
  const instruction = createdBy.replaceAll(/\s+/g, " ").slice(0, 100);
  writeLines([`layer ${number} of ${layerCount}: ${diffId} ${formatSize(sizeBytes)} ${instruction}`.trimEnd()]);
  writeLines(
    [...changes].map(({ kind, path, bytesBefore, bytesAfter }) => {
      const sizes =
        kind === "changed" && bytesBefore !== bytesAfter ? [bytesBefore, bytesAfter] : [bytesAfter ?? bytesBefore];
      return `${letters[kind]} /${path}  ${sizes.map((bytes) => formatSize(bytes ?? 0)).join(" to ")}`;
    }),
  );
}

const layerToJson = ({ changes, ...layer }: LayerDiff): object => ({
  ...layer,
  changes: [...changes].map(changeToJson),
});

const changeToJson = ({ path, ...change }: TreeChange): object => ({ ...change, path: `/${path}` });

const writeJson = (value: unknown): void => writeText(`${JSON.stringify(value, null, 2)}\n`);
