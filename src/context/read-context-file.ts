import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { BuildError } from "../base/errors.ts";
import { encodeName } from "../base/file-name.ts";
import { readAll } from "../layer/file-readers.ts";
import type { FileTree } from "../layer/file-tree.ts";
import { resolveInTree } from "../layer/resolve-path.ts";
import { hasErrno } from "../sys/system-error.ts";
import { reasonOf } from "./guarded-root.ts";

/** A file that steers a build: a Dockerfile or .dockerignore. */
export interface ControlFile {
  /** Its path as it was found, for messages: the lower-case name when that one was. */
  readonly path: string;
  readonly bytes: Buffer;
}

/** No Dockerfile or .dockerignore is that long. */
export const maximumControlFileBytes = 64 << 20;

/**
 * Reads a Dockerfile out of a tree: `name` is a path inside of it. Links are followed inside the tree; for a name
 * `Dockerfile` that is missing, `dockerfile` is tried. Throws DOCKERFILE_NOT_FOUND when there is no regular file,
 * DOCKERFILE_TOO_LARGE above 64 MiB.
 */
export function readDockerfileFrom(tree: FileTree, name: string): ControlFile {
  return readDockerfile(name, (path) => readFileFrom(tree, path));
}

/** Reads a Dockerfile that may lie anywhere on this machine, by the same rules; links lead anywhere as well. */
export function readDockerfileAt(file: string): ControlFile {
  return readDockerfile(file, readHostFile);
}

function readDockerfile(name: string, read: (path: string) => Buffer | null): ControlFile {
  for (const path of [name, ...lowerCaseForm(name)]) {
    const bytes = read(path);
    if (bytes !== null) return { path, bytes };
  }
  throw new BuildError("DOCKERFILE_NOT_FOUND", `Dockerfile ${JSON.stringify(name)}: no such file`, {
    hint: "name it with --file, or name another build context",
  });
}

function lowerCaseForm(name: string): readonly string[] {
  const match = /^(.*\/)?Dockerfile$/s.exec(name);
  return match === null ? [] : [`${match[1] ?? ""}dockerfile`];
}

/**
 * The content of a regular file of a tree, links followed inside the tree; null when there is nothing at `path`.
 * Throws DOCKERFILE_NOT_FOUND for what is no regular file, DOCKERFILE_TOO_LARGE above 64 MiB.
 */
export function readFileFrom(tree: FileTree, path: string): Buffer | null {
  const entry = tree.lstat(resolveInTree(tree, path, "all"));
  if (entry === null) return null;
  if (entry.type !== "file") throw notRegular(path, `a ${entry.type === "symlink" ? "symbolic link" : entry.type}`);
  checkSize(path, entry.size);
  return readAll(tree.open(entry), entry.size + 1);
}

/** The content of a regular file of this machine; null when there is nothing. Errors as `readFileFrom`. */
export function readHostFile(file: string): Buffer | null {
  let fd: number;
  try {
    fd = openSync(encodeName(file), constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return null;
    throw new BuildError("DOCKERFILE_NOT_FOUND", `${JSON.stringify(file)}: ${reasonOf(error)}`, { cause: error });
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw notRegular(file, stat.isDirectory() ? "a directory" : "a special file");
    checkSize(file, stat.size);
    const bytes = Buffer.alloc(stat.size);
    let used = 0;
    for (let got = -1; got !== 0 && used < bytes.length; used += got)
      got = readSync(fd, bytes, used, bytes.length - used, null);
    return bytes.subarray(0, used);
  } finally {
    closeSync(fd);
  }
}

const notRegular = (path: string, what: string): BuildError =>
  new BuildError("DOCKERFILE_NOT_FOUND", `${JSON.stringify(path)} is ${what}, want a regular file`);

function checkSize(path: string, sizeBytes: number): void {
  if (sizeBytes <= maximumControlFileBytes) return;
  const problem = `got ${sizeBytes} bytes, want at most ${maximumControlFileBytes}`;
  throw new BuildError("DOCKERFILE_TOO_LARGE", `${JSON.stringify(path)}: ${problem}`);
}
