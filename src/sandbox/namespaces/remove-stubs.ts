import { closeSync, constants, fstatSync, lstatSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { encodeName } from "../../base/file-name.ts";
import { removeAt, setModifiedTimeOf } from "../../sys/files.ts";
import { openWithin, resolveFlags } from "../../sys/mount.ts";
import { hasErrno } from "../../sys/system-error.ts";
import type { MountStub } from "./zygote-messages.ts";

const inside = resolveFlags.beneath | resolveFlags.noSymlinks | resolveFlags.noCrossMounts;

function removeStub(root: number, stub: MountStub): void {
  const parentPath = dirname(stub.path);
  const name = encodeName(stub.path.slice(parentPath === "." ? 0 : parentPath.length + 1));
  const parent = openWithin(root, encodeName(parentPath), constants.O_RDONLY | constants.O_DIRECTORY, inside);
  try {
    const { mtimeNs } = fstatSync(parent, { bigint: true });
    const status = lstatSync(Buffer.concat([Buffer.from(`/proc/self/fd/${parent}/`), name]));
    if (stub.type === "file" ? !status.isFile() || status.size !== 0 : !status.isDirectory()) return;
    removeAt(parent, name, stub.type);
    setModifiedTimeOf(parent, mtimeNs);
  } finally {
    closeSync(parent);
  }
}

/**
 * Removes from an upper directory what was made there only to mount something on, if it is still empty; its parent
 * directory keeps its modification time. The step may have moved things around and put symlinks in their place: none is
 * followed, and what is not where it was is left alone.
 */
export function removeStubs(upper: string, stubs: readonly MountStub[]): void {
  const root = openSync(upper, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    for (const stub of [...stubs].reverse()) {
      try {
        removeStub(root, stub);
      } catch (error) {
        if (!hasErrno(error, "ENOENT", "ENOTDIR", "ELOOP", "ENOTEMPTY", "EXDEV", "EISDIR")) throw error;
      }
    }
  } finally {
    closeSync(root);
  }
}
