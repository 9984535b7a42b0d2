import { randomBytes } from "node:crypto";
import { closeSync, fstatSync, openSync, renameSync, statSync } from "node:fs";
import { mkdir, readdir, rmdir } from "node:fs/promises";
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
          await mkdir(path, { mode: 0o700 }).catch((error: unknown) => {
            // A sweeper has taken the lock of the last attempt, and not yet the directory.
            if (systemErrorCode(error) !== "EEXIST") throw error;
          });
          lock = lockNewDirectory(path);
        }
      }),
    async remove() {
      if (lock === null) return;
      const dead = renameDead(parent, path);
      closeSync(lock);
      lock = null;
      if (dead !== null) await removeScratch(dead);
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
      else {
        const dead = takeAbandoned(parent, path);
        if (dead !== null) await removeScratch(dead);
      }
    } catch {
      // The next sweep tries again.
    }
  }
}

/**
 * Renames a directory whose process is gone, and gives its new name; null when there is nothing to take. The lock is held
 * until the directory has another name: whoever is making the directory at this moment could otherwise lock it in between.
 */
function takeAbandoned(parent: string, path: string): string | null {
  let fd: number;
  try {
    fd = openSync(join(path, lockName), "r");
  } catch (error) {
    // Being made right now, or left by a crash before it had a lock; rmdir fails for the former as soon as it has one.
    if (isMissing(error)) rmdir(path).catch(() => {});
    return null;
  }
  try {
    return tryLock(fd, "exclusive") && isSameFile(fd, join(path, lockName)) ? renameDead(parent, path) : null;
  } finally {
    closeSync(fd);
  }
}

/** The name says it is dead before anything in it goes, so that a sweep cut short is continued by the next one. */
function renameDead(parent: string, path: string): string | null {
  const dead = join(parent, `${randomBytes(6).toString("hex")}${deadSuffix}`);
  try {
    renameSync(path, dead);
    return dead;
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
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
