import { randomBytes } from "node:crypto";
import { type FileHandle, open, realpath, rename, stat, unlink } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import type { Writable } from "node:stream";
import { finished } from "node:stream/promises";
import { BuildError } from "../base/errors.ts";
import { isMissing } from "../store/storage-error.ts";
import { destinationError, withDestinationErrors } from "./destination-error.ts";

/**
 * Writes `chunks` to `destination`: to `stdout` for "-", else to a file that appears, or replaces an older one, when all
 * is written and on disk. A device or pipe is written to as it is. The number of bytes. Throws
 * EXPORT_DESTINATION_INVALID, BUILD_CANCELLED, and what `chunks` throws; the destination is then as it was before.
 */
export async function writeDestination(
  destination: string,
  chunks: AsyncIterable<Uint8Array>,
  stdout: Writable,
  signal: AbortSignal,
): Promise<number> {
  if (destination === "-") return writeToStream(chunks, stdout, signal);
  const path = await targetOf(destination);
  if (!(await isReplaceable(path))) {
    const file = await withDestinationErrors(destination, () => open(path, "w"));
    return writeAndClose(file, chunks, destination, signal);
  }
  const draft = draftBeside(path);
  try {
    const file = await withDestinationErrors(destination, () => open(draft, "wx", 0o666));
    const sizeBytes = await writeAndClose(file, chunks, destination, signal, "durable");
    await withDestinationErrors(destination, () => rename(draft, path));
    return sizeBytes;
  } catch (error) {
    await unlink(draft).catch(() => {});
    throw error;
  }
}

/** A name next to `path` for what is to become it. */
export const draftBeside = (path: string): string =>
  join(dirname(path), `.${basename(path).slice(0, 100)}.tsbuild-${randomBytes(6).toString("hex")}`);

/** Where a path leads: a link to a file is written through. */
export async function targetOf(destination: string): Promise<string> {
  return withDestinationErrors(destination, () =>
    realpath(destination).catch((error: unknown) => {
      if (isMissing(error)) return resolve(destination);
      throw error;
    }),
  );
}

async function isReplaceable(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch (error) {
    if (isMissing(error)) return true;
    throw destinationError(error, path);
  }
}

async function writeAndClose(
  file: FileHandle,
  chunks: AsyncIterable<Uint8Array>,
  destination: string,
  signal: AbortSignal,
  durability: "durable" | "eventual" = "eventual",
): Promise<number> {
  let sizeBytes = 0;
  try {
    for await (const chunk of chunks) {
      if (signal.aborted) throw cancelled();
      await withDestinationErrors(destination, () => writeAll(file, chunk));
      sizeBytes += chunk.length;
    }
    if (durability === "durable") await withDestinationErrors(destination, () => file.sync());
  } finally {
    await file.close();
  }
  return sizeBytes;
}

async function writeAll(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let at = 0; at < chunk.length; ) at += (await file.write(chunk, at)).bytesWritten;
}

async function writeToStream(
  chunks: AsyncIterable<Uint8Array>,
  stdout: Writable,
  signal: AbortSignal,
): Promise<number> {
  let sizeBytes = 0;
  // A stream that ends early tells by an event, which must not wait for the next write.
  const broken = new AbortController();
  const failure = finished(stdout, { readable: false, signal: broken.signal }).then(
    () => new BuildError("EXPORT_DESTINATION_INVALID", "standard output was closed before all was written"),
    (error: unknown) => destinationError(error, "-"),
  );
  try {
    for await (const chunk of chunks) {
      if (signal.aborted) throw cancelled();
      const written = new Promise<null>((settle) => stdout.write(chunk, () => settle(null)));
      const failed = await Promise.race([written, failure]);
      if (failed !== null) throw failed;
      if (stdout.errored !== null) throw destinationError(stdout.errored, "-");
      sizeBytes += chunk.length;
    }
    return sizeBytes;
  } finally {
    broken.abort();
  }
}

const cancelled = (): BuildError => new BuildError("BUILD_CANCELLED", "the build was cancelled");
