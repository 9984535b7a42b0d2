import { randomBytes } from "node:crypto";
import { chmodSync, type Dir, type Dirent, lstatSync, opendirSync, renameSync, rmdirSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { isMissing } from "./storage-error.ts";

/** Entries removed before anything else gets its turn: each takes microseconds, less than to hand it to another thread. */
const batchSize = 64;

/**
 * Removes a file or a directory with everything in it; what is not there, or removed by somebody else meanwhile, is no
 * error. Works for trees an image made:
 * names are bytes, no symlink is followed, directories without permissions are opened up first, and no depth is too
 * deep, because every directory is moved up to `scratch` before it is emptied. `scratch` is a directory on the same
 * file system that nobody else writes to.
 */
export async function removeTree(path: string, scratch: string): Promise<void> {
  const doomed = newNameIn(scratch);
  try {
    if (!lstatSync(path).isDirectory()) return unlinkSync(path);
    makeMovable(path);
    renameSync(path, doomed);
  } catch (error) {
    if (isMissing(error)) return;
    throw error;
  }
  const pending = [doomed];
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    const emptied = directory;
    await emptyDirectory(emptied, scratch, pending);
    unlessMissing(() => rmdirSync(emptied));
  }
}

/** Removes what is in a directory; the directories in it are moved into `scratch` and added to `moved`. */
async function emptyDirectory(path: string, scratch: string, moved: string[]): Promise<void> {
  const prefix = Buffer.from(`${path}/`);
  const removeEntry = (entry: Dirent<Buffer>): void => {
    const child = Buffer.concat([prefix, entry.name]);
    if (!entry.isDirectory()) {
      unlessMissing(() => unlinkSync(child));
      return;
    }
    const target = newNameIn(scratch);
    unlessMissing(() => {
      makeMovable(child);
      renameSync(child, target);
      moved.push(target);
    });
  };
  // Some file systems skip names while others are removed, so this goes on until a listing is empty.
  for (let found = true; found; ) {
    found = false;
    for (const batch of batchesIn(path)) {
      found = true;
      batch.forEach(removeEntry);
      if (batch.length === batchSize) await setImmediate();
    }
  }
}

function unlessMissing(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

/** The entries of a directory, up to `batchSize` at a time, as it is read. */
function* batchesIn(path: string): Generator<readonly Dirent<Buffer>[], void> {
  const directory = openDirectory(path);
  if (directory === null) return;
  try {
    for (;;) {
      const batch: Dirent<Buffer>[] = [];
      while (batch.length < batchSize) {
        const entry = directory.readSync() as unknown as Dirent<Buffer> | null;
        if (entry === null) break;
        batch.push(entry);
      }
      if (batch.length === 0) return;
      yield batch;
    }
  } finally {
    directory.closeSync();
  }
}

/** null when it is not there. */
function openDirectory(path: string): Dir | null {
  try {
    // The types of Node do not know that `encoding: "buffer"` gives names as bytes here too.
    return opendirSync(path, { encoding: "buffer" as BufferEncoding, bufferSize: batchSize });
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

const newNameIn = (scratch: string): string => join(scratch, `removed-${randomBytes(8).toString("hex")}`);

/** A directory can only be moved to another parent, and emptied, by someone who may write to it. */
export function makeMovable(directory: string | Buffer): void {
  if (process.geteuid?.() !== 0) chmodSync(directory, 0o700);
}
