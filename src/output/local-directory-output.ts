import { randomBytes } from "node:crypto";
import { mkdir, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { TaskRunner } from "../base/task.ts";
import type { LayerStore } from "../store/layer-store.ts";
import { makeDirectories } from "../store/make-directories.ts";
import { removeTree } from "../store/remove-tree.ts";
import { withDestinationErrors } from "./destination-error.ts";
import { mergeDirectoryTask } from "./merge-directory.ts";
import type { Output } from "./output.ts";
import { rootfsSpecsOf } from "./rootfs-entries.ts";
import { targetOf } from "./write-destination.ts";
import { writeRootfsDirectoryTask } from "./write-rootfs-directory.ts";

export interface LocalDirectoryOptions {
  readonly destination: string;
  readonly splitPlatforms: boolean | null;
  /** The time of all files, in seconds since 1970; null: each keeps its own. */
  readonly epoch: number | null;
}

/**
 * The merged root file system in a directory, made if needed. What is in the directory stays unless the image has
 * something of the same name; no symlink in it is followed. Owners, devices and extended attributes only as root.
 * Everything is written to a hidden directory inside it first and then moved: what fails before that changes nothing.
 */
export function localDirectoryOutput(options: LocalDirectoryOptions, layers: LayerStore, runner: TaskRunner): Output {
  const { destination } = options;
  return {
    async write(images, signal) {
      const roots = await rootfsSpecsOf(images, options.splitPlatforms, options.epoch, layers, signal);
      const into = await targetOf(destination);
      const made = await withDestinationErrors(destination, () => makeDirectories(into));
      const stage = join(into, `.tsbuild-${randomBytes(6).toString("hex")}`);
      try {
        await withDestinationErrors(destination, () => mkdir(stage, { mode: 0o700 }));
        const directory = join(stage, "root");
        const asRoot = process.geteuid?.() === 0;
        const { files } = await runner.run(writeRootfsDirectoryTask, { roots, directory, asRoot }, signal);
        await runner.run(mergeDirectoryTask, { from: directory, into, replaced: join(stage, "replaced") });
        await removeStage(stage);
        return { manifest: null, summary: `wrote ${files} files to ${destination}` };
      } catch (error) {
        await removeStage(stage);
        if (made !== null) await removeMade(into, made);
        throw error;
      }
    },
  };
}

async function removeStage(stage: string): Promise<void> {
  for (const name of ["root", "replaced"]) await removeTree(join(stage, name), stage);
  await rmdir(stage).catch(() => {});
}

/** Removes the directories from `path` up to `first` that were made for the output. */
async function removeMade(path: string, first: string): Promise<void> {
  for (let directory = path; ; directory = dirname(directory)) {
    await rmdir(directory).catch(() => {});
    if (directory === first) return;
  }
}
