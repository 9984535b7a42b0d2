import { rmdir } from "node:fs/promises";
import { dirname } from "node:path";
import type { TaskRunner } from "../base/task.ts";
import type { LayerStore } from "../store/layer-store.ts";
import { makeDirectories } from "../store/make-directories.ts";
import { withDestinationErrors } from "./destination-error.ts";
import type { Output } from "./output.ts";
import { rootfsSpecsOf } from "./rootfs-entries.ts";
import { targetOf } from "./write-destination.ts";
import { writeIntoDirectory } from "./write-into-directory.ts";

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
      try {
        const asRoot = process.geteuid?.() === 0;
        const files = await writeIntoDirectory({ roots, into, destination, asRoot, keepsKinds: false }, runner, signal);
        return { manifest: null, summary: `wrote ${files} files to ${destination}` };
      } catch (error) {
        if (made !== null) await removeMade(into, made);
        throw error;
      }
    },
  };
}

/** Removes the directories from `path` up to `first` that were made for the output. */
async function removeMade(path: string, first: string): Promise<void> {
  for (let directory = path; ; directory = dirname(directory)) {
    await rmdir(directory).catch(() => {});
    if (directory === first) return;
  }
}
