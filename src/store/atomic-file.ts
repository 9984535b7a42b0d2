import { randomBytes } from "node:crypto";
import { readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { mkdir, open, rename, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { BuildError } from "../base/errors.ts";
import { isMissing, withStorageErrors } from "./storage-error.ts";

/** Whether a replaced file must have reached the disk when the promise resolves. */
export type Durability = "durable" | "eventual";

/**
 * Puts `data` at `path`, replacing what is there: readers see the old bytes or the new ones. `temporary` is a directory
 * on the same file system. With "eventual" a power loss may leave old, no or broken bytes: only for what is noticed
 * when read, and then made again. Throws STORE_NO_SPACE or STORE_UNWRITABLE.
 */
export async function replaceFile(
  path: string,
  data: string | Uint8Array,
  temporary: string,
  durability: Durability,
): Promise<void> {
  const draft = join(temporary, `file-${randomBytes(8).toString("hex")}`);
  await withStorageErrors(path, async () => {
    try {
      if (durability === "durable") await writeDurably(draft, data);
      // Small, and not waited for: quicker done here than handed to a thread.
      else writeFileSync(draft, data, { flag: "wx", mode: 0o600 });
      await moveInto(draft, path);
    } catch (error) {
      await unlink(draft).catch(ignoreMissing);
      throw error;
    }
    if (durability === "durable") await syncDirectory(dirname(path));
  });
}

async function writeDurably(path: string, data: string | Uint8Array): Promise<void> {
  const file = await open(path, "wx", 0o600);
  try {
    await file.writeFile(data);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Renames `from` to `path`; makes the parent directory of `path` when it is missing. */
export async function moveInto(from: string, path: string): Promise<void> {
  try {
    renameSync(from, path);
  } catch (error) {
    if (!isMissing(error)) throw error;
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await rename(from, path);
  }
}

/** Makes the names in a directory durable. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** Content of a small file of the store; null when it is not there. Throws BLOB_TOO_LARGE above `maxBytes`. */
export async function readSmallFile(path: string, maxBytes = 64 * 1024 * 1024): Promise<Buffer | null> {
  return withStorageErrors(path, async () => {
    try {
      // A build reads some for every step: each takes microseconds here, and many times that in a thread.
      const size = statSync(path, { throwIfNoEntry: false })?.size ?? null;
      if (size === null) return null;
      if (size <= maxBytes) return readFileSync(path);
      throw new BuildError("BLOB_TOO_LARGE", `store file "${path}": got ${size} bytes, want at most ${maxBytes}`);
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  });
}

/** Removes a file; not being there is no error. */
export async function removeFile(path: string): Promise<void> {
  await withStorageErrors(path, () => unlink(path).catch(ignoreMissing));
}

/** For `catch`: swallows that something is not there. */
export function ignoreMissing(error: unknown): void {
  if (!isMissing(error)) throw error;
}
