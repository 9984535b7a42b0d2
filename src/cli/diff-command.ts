import { openImageTree } from "../engine/image-tree.ts";
import { withImageWorkshop } from "../engine/image-workshop.ts";
import { compareTrees, type TreeChange } from "../layer/compare-trees.ts";
import { chooseImage, choosePlatform } from "./choose-images.ts";
import type { DiffOptions } from "./command-line.ts";
import { storeRoot } from "./store-root.ts";
import { withInterrupt } from "./with-interrupt.ts";
import { writeLines } from "./write-lines.ts";

const letters: Readonly<Record<TreeChange["kind"], string>> = { added: "A", changed: "C", removed: "D" };

/** `tsbuild diff`: the paths at which the file systems of two images differ, as `docker diff` prints them. */
export async function runDiff(before: string, after: string, options: DiffOptions): Promise<void> {
  const settings = { root: storeRoot(options.root), environment: process.env };
  const changes = await withInterrupt((signal) =>
    withImageWorkshop(settings, signal, async (workshop) => {
      const open = async (name: string) => {
        const { image } = await chooseImage(workshop.store, name);
        return openImageTree(choosePlatform(image, options.platform), workshop, signal);
      };
      return [...compareTrees(await open(before), await open(after))];
    }),
  );
  writeLines(changes.map(({ kind, path }) => `${letters[kind]} /${path}`));
}
