import { randomBytes } from "node:crypto";
import type { Dirent } from "node:fs";
import { chmod, lstat, opendir, rename, rmdir, unlink } from "node:fs/promises";
import { join } from "node:path";
import { isMissing } from "./storage-error.ts";

/** Files unlinked at the same time. */
const batchSize = 64;

/**
 * Removes a file or a directory with everything in it; not being there is no error. Works for trees an image made:
 * names are bytes, no symlink is followed, directories without permissions are opened up first, and no depth is too
 * deep, because every directory is moved up to `scratch` before it is emptied. `scratch` is a directory on the same
 * file system that nobody else writes to.
 */
export async function removeTree(path: string, scratch: string): Promise<void> {
  const doomed = newNameIn(scratch);
  try {
    const isDirectory = (await lstat(path)).isDirectory();
    if (!isDirectory) return await unlink(path);
    await makeMovable(path);
    await rename(path, doomed);
  } catch (error) {
    if (isMissing(error)) return;
    throw error;
  }
  const pending = [doomed];
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    await emptyDirectory(directory, scratch, pending);
    await rmdir(directory);
  }
}

/** Removes what is in a directory; the directories in it are moved into `scratch` and added to `moved`. */
async function emptyDirectory(path: string, scratch: string, moved: string[]): Promise<void> {
  const prefix = Buffer.from(`${path}/`);
  const removeEntry = async (entry: Dirent<Buffer>): Promise<void> => {
    const child = Buffer.concat([prefix, entry.name]);
    if (!entry.isDirectory()) return unlink(child);
    const target = newNameIn(scratch);
    await makeMovable(child);
    await rename(child, target);
    moved.push(target);
  };
  // Some file systems skip names while others are removed, so this goes on until a listing is empty.
  for (let found = true; found; ) {
    found = false;
    let batch: Dirent<Buffer>[] = [];
    for await (const entry of await openAsBytes(path)) {
      found = true;
      batch.push(entry);
      if (batch.length < batchSize) continue;
      await Promise.all(batch.map(removeEntry));
      batch = [];
    }
    await Promise.all(batch.map(removeEntry));
  }
}

/** The types of Node do not know that `encoding: "buffer"` gives names as bytes here too. */
async function openAsBytes(path: string): Promise<AsyncIterable<Dirent<Buffer>>> {
  const directory = await opendir(path, { encoding: "buffer" as BufferEncoding, bufferSize: batchSize });
  return directory as unknown as AsyncIterable<Dirent<Buffer>>;
}

const newNameIn = (scratch: string): string => join(scratch, `removed-${randomBytes(8).toString("hex")}`);

/** A directory can only be moved to another parent, and emptied, by someone who may write to it. */
export async function makeMovable(directory: string | Buffer): Promise<void> {
  if (process.geteuid?.() !== 0) await chmod(directory, 0o700);
}
