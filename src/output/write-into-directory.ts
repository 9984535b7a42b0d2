import { randomBytes } from "node:crypto";
import { mkdir, rmdir } from "node:fs/promises";
import { join } from "node:path";
import type { TaskRunner } from "../base/task.ts";
import { removeTree } from "../store/remove-tree.ts";
import { withDestinationErrors } from "./destination-error.ts";
import { mergeDirectoryTask } from "./merge-directory.ts";
import type { RootfsSpec } from "./rootfs-entries.ts";
import { writeRootfsDirectoryTask } from "./write-rootfs-directory.ts";

export interface IntoDirectory {
  readonly roots: readonly RootfsSpec[];
  /** Existing directory. */
  readonly into: string;
  /** What the user calls it. */
  readonly destination: string;
  /** Keep owners, devices and extended attributes, which only root can. */
  readonly asRoot: boolean;
  /** Refuse to put a directory where something else is, or something else where a directory is. */
  readonly keepsKinds: boolean;
}

/**
 * Writes file trees into a directory; the number of files. What is there stays unless something of the same name comes; no
 * symlink in it is followed. Everything is written to a hidden directory inside it first and then moved: what fails before
 * that changes nothing. Throws EXPORT_DESTINATION_INVALID.
 */
export async function writeIntoDirectory(
  { roots, into, destination, asRoot, keepsKinds }: IntoDirectory,
  runner: TaskRunner,
  signal: AbortSignal,
): Promise<number> {
  const stage = join(into, `.tsbuild-${randomBytes(6).toString("hex")}`);
  try {
    await withDestinationErrors(destination, () => mkdir(stage, { mode: 0o700 }));
    const directory = join(stage, "root");
    const { files } = await runner.run(writeRootfsDirectoryTask, { roots, directory, asRoot }, signal);
    const replaced = join(stage, "replaced");
    await runner.run(mergeDirectoryTask, { from: directory, into, replaced, keepsOwners: asRoot, keepsKinds });
    return files;
  } finally {
    for (const name of ["root", "replaced"]) await removeTree(join(stage, name), stage);
    await rmdir(stage).catch(() => {});
  }
}
