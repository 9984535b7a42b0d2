import { randomBytes } from "node:crypto";
import { closeSync, fstatSync, openSync, statSync } from "node:fs";
import { mkdir, readdir, rename, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { tryLock } from "../sys/lock.ts";
import { removeTree } from "./remove-tree.ts";
import { isMissing, systemErrorCode, withStorageErrors } from "./storage-error.ts";

/** A directory below `tmp/` that belongs to this process. */
export interface TemporaryDirectory {
  readonly path: string;
  /** Makes the directory, marked as in use by a lock on a file in it for as long as this process lives. */
  make(): Promise<void>;
  /** Removes the directory with all that is in it. */
  remove(): Promise<void>;
}

const lockName = "lock";
const deadSuffix = ".dead";

/** Names a directory in `parent` that is not there yet. */
export function nameTemporaryDirectory(parent: string): TemporaryDirectory {
  const path = join(parent, `${process.pid}-${randomBytes(6).toString("hex")}`);
  let lock: number | null = null;
  return {
    path,
    make: () =>
      withStorageErrors(parent, async () => {
        while (lock === null) {
          await mkdir(path, { mode: 0o700 });
          lock = lockNewDirectory(path);
        }
      }),
    async remove() {
      if (lock === null) return;
      closeSync(lock);
      lock = null;
      await removeDead(parent, path);
    },
  };
}

/**
 * The open lock file; null when a sweeper took the directory before it was locked. Not a FileHandle: the garbage
 * collector would close one that nobody holds any more.
 */
function lockNewDirectory(path: string): number | null {
  const lockPath = join(path, lockName);
  let fd: number;
  try {
    fd = openSync(lockPath, "a", 0o600);
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
  if (tryLock(fd, "exclusive") && isSameFile(fd, lockPath)) return fd;
  closeSync(fd);
  return null;
}

/** Removes the directories in `parent` whose processes are gone. Never throws: what cannot be removed now is left. */
export async function sweepTemporaryDirectories(parent: string): Promise<void> {
  const names = await readdir(parent).catch(() => []);
  for (const name of names) {
    const path = join(parent, name);
    try {
      if (name.endsWith(deadSuffix)) await removeScratch(path);
      else if (isAbandoned(path)) await removeDead(parent, path);
    } catch {
      // The next sweep tries again.
    }
  }
}

function isAbandoned(path: string): boolean {
  let fd: number;
  try {
    fd = openSync(join(path, lockName), "r");
  } catch (error) {
    // Being made right now, or left by a crash before it had a lock; rmdir fails for the former as soon as it has one.
    if (isMissing(error)) rmdir(path).catch(() => {});
    return false;
  }
  try {
    return tryLock(fd, "exclusive") && isSameFile(fd, join(path, lockName));
  } finally {
    closeSync(fd);
  }
}

/** The name says it is dead before anything in it goes, so that a sweep cut short is continued by the next one. */
async function removeDead(parent: string, path: string): Promise<void> {
  const dead = join(parent, `${randomBytes(6).toString("hex")}${deadSuffix}`);
  try {
    await rename(path, dead);
  } catch (error) {
    if (isMissing(error)) return;
    throw error;
  }
  await removeScratch(dead);
}

/** Empties a directory into itself: nested directories move up to it until there are none. */
async function removeScratch(path: string): Promise<void> {
  for (let names = await listNames(path); names.length > 0; names = await listNames(path)) {
    for (const name of names) await removeTree(join(path, name), path);
  }
  await rmdir(path).catch((error: unknown) => {
    if (!isMissing(error) && systemErrorCode(error) !== "ENOTEMPTY") throw error;
  });
}

async function listNames(path: string): Promise<readonly string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

function isSameFile(fd: number, path: string): boolean {
  try {
    return statSync(path).ino === fstatSync(fd).ino;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}
