import { openImageTree } from "../engine/image-tree.ts";
import { withImageWorkshop } from "../engine/image-workshop.ts";
import { chooseImage, choosePlatform } from "./choose-images.ts";
import type { LsOptions } from "./content-commands.ts";
import { entryCells } from "./format-entry.ts";
import { findEntry, parseImagePath } from "./image-path.ts";
import { storeRoot } from "./store-root.ts";
import { withInterrupt } from "./with-interrupt.ts";
import { writeLines } from "./write-lines.ts";

/** `tsbuild ls`: what lies in a directory of an image, or a file itself. */
export async function runLs(text: string, options: LsOptions): Promise<void> {
  const { image: name, path } = parseImagePath(text);
  const settings = { root: storeRoot(options.root), environment: process.env };
  const rows = await withInterrupt((signal) =>
    withImageWorkshop(settings, signal, async (workshop) => {
      const { image } = await chooseImage(workshop.store, name);
      const tree = await openImageTree(choosePlatform(image, options.platform), workshop, signal);
      const entry = findEntry(tree, path ?? "/");
      return (entry.type === "directory" ? tree.list(entry.path) : [entry]).map(entryCells);
    }),
  );
  const widths = [0, 1, 2, 3].map((column) =>
    rows.reduce((width, row) => Math.max(width, row[column]?.length ?? 0), 0),
  );
  const isNumber = (column: number): boolean => column === 2;
  writeLines(
    rows.map((row) =>
      row.map((cell, at) => (isNumber(at) ? cell.padStart(widths[at] ?? 0) : cell.padEnd(widths[at] ?? 0))).join("  "),
    ),
  );
}
