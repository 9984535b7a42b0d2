import { type BigIntStats, closeSync, lstatSync, mkdirSync, openSync, readlinkSync, statfsSync } from "node:fs";
import { BuildError } from "../../base/errors.ts";
import { decodeName, encodeName } from "../../base/file-name.ts";
import { hasErrno } from "../../sys/system-error.ts";
import type { MountStub } from "./zygote-messages.ts";

/** As many symlinks in a path as the kernel follows. */
const symlinkLimit = 40;

const lstat = (path: string): BigIntStats | undefined => {
  try {
    return lstatSync(encodeName(path), { bigint: true });
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return undefined;
    throw error;
  }
};

type Make = (path: string, isLast: boolean) => void;

/**
 * Walks `path` from the root of this process, follows symlinks, calls `make` for what is missing, and returns the path
 * without symlinks, "" for the root. Works on paths, so nobody else may change the tree meanwhile.
 */
function walk(path: string, last: "file" | "directory", make: Make): string {
  const refuse = (what: string): BuildError =>
    new BuildError("RUN_FAILED", `${JSON.stringify(path)} in the image: ${what}`);
  let current = "";
  let links = 0;
  const rest = path.split("/");
  while (rest.length > 0) {
    const name = rest.shift() ?? "";
    if (name === "" || name === ".") continue;
    if (name === "..") {
      current = current.slice(0, Math.max(current.lastIndexOf("/"), 0));
      continue;
    }
    const next = `${current}/${name}`;
    const isLast = rest.every((part) => part === "" || part === ".");
    const status = lstat(next);
    if (status === undefined) {
      make(next, isLast);
      current = next;
    } else if (status.isSymbolicLink()) {
      links += 1;
      if (links > symlinkLimit) throw refuse("too many levels of symbolic links");
      const target = decodeName(readlinkSync(encodeName(next), { encoding: "buffer" }));
      if (target.startsWith("/")) current = "";
      rest.unshift(...target.split("/"));
    } else if (status.isDirectory()) {
      if (isLast && last === "file") throw refuse("is a directory, want a file");
      current = next;
    } else {
      if (!isLast || last === "directory") throw refuse(`${next} is not a directory`);
      current = next;
    }
  }
  return current;
}

const parentOf = (path: string): string => path.slice(0, path.lastIndexOf("/")) || "/";

function makeMountPoint(path: string, type: MountStub["type"]): void {
  if (type === "directory") mkdirSync(encodeName(path), { mode: 0o755 });
  else closeSync(openSync(encodeName(path), "wx", 0o644));
}

const PROC_SUPER_MAGIC = 0x9fa0;

/** Finds or makes the places where things are mounted, inside the root of this process; remembers what it made. */
export class MountPoints {
  readonly #stubs: MountStub[] = [];
  readonly #rootDevice = lstatSync("/", { bigint: true }).dev;

  /** What was made in the root file system itself, parents first. */
  get stubs(): readonly MountStub[] {
    return this.#stubs;
  }

  /** The path of mount point `target` without symlinks, made if it is not there. Throws RUN_FAILED when it cannot be one. */
  prepare(target: string, type: MountStub["type"]): { readonly path: string; readonly isNew: boolean } {
    let isNew = false;
    const path = walk(target, type, (missing, isLast) => {
      isNew ||= isLast;
      const missingType = isLast ? type : "directory";
      makeMountPoint(missing, missingType);
      const parent = lstatSync(encodeName(parentOf(missing)), { bigint: true });
      if (parent.dev === this.#rootDevice) this.#stubs.push({ path: missing.slice(1), type: missingType });
    });
    if (path === "") throw new BuildError("RUN_FAILED", `mount target ${JSON.stringify(target)} is the root directory`);
    if (statfsSync(encodeName(path)).type === PROC_SUPER_MAGIC) {
      throw new BuildError(
        "RUN_FAILED",
        `mount target ${JSON.stringify(target)} is inside /proc, where nothing may be mounted`,
      );
    }
    return { path, isNew };
  }
}

/** Finds or makes directory `path`; what is made belongs to the given user. Returns its path without symlinks. */
export function makeDirectories(path: string, chown: (made: Buffer) => void): string {
  return walk(path, "directory", (missing) => {
    mkdirSync(encodeName(missing), { mode: 0o755 });
    chown(encodeName(missing));
  });
}

/** Makes one of the directories every sandbox has at its root; throws RUN_FAILED when the image has something else there. */
export function makeSystemDirectory(path: string): void {
  const status = lstat(path);
  if (status === undefined) {
    mkdirSync(path, { mode: 0o755 });
  } else if (!status.isDirectory()) {
    const what = status.isSymbolicLink() ? "a symlink" : "a file";
    throw new BuildError("RUN_FAILED", `${path} of the image is ${what}: want a directory`);
  }
}
