import { createHash } from "node:crypto";
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { type Digest, digestFromHex, digestOf } from "../base/digest.ts";
import { BuildError } from "../base/errors.ts";
import type { FileReader } from "./file-tree.ts";
import { fsCall } from "./fs-call.ts";

/** Reads `bytes`. */
export function readerOf(bytes: Uint8Array): FileReader {
  let at = 0;
  return {
    digest: digestOf(bytes),
    read(into) {
      const part = bytes.subarray(at, at + into.length);
      into.set(part);
      at += part.length;
      return part.length;
    },
    close() {},
  };
}

/** Reads `size` bytes of `file` from byte `offset` on: a content inside a tar. Reading throws LAYER_MALFORMED when `file` ends before. */
export function openRange(file: string, offset: number, size: number, digest?: Digest): FileReader {
  const fd = fsCall(() => openSync(file, "r"));
  let at = 0;
  return {
    digest,
    read(into) {
      const want = Math.min(into.length, size - at);
      if (want === 0) return 0;
      const got = fsCall(() => readSync(fd, into, 0, want, offset + at));
      if (got === 0)
        throw new BuildError("LAYER_MALFORMED", `${JSON.stringify(file)} is cut off at byte ${offset + at}`);
      at += got;
      return got;
    },
    close: () => closeSync(fd),
  };
}

/**
 * Reads a regular file of `size` bytes, named by its bytes; follows no link in the last component and never waits for
 * the other side of a fifo. Throws CONTEXT_FILE_CHANGED when something else is there.
 */
export function openRegularFile(path: Buffer, size: number, digest?: Digest): FileReader {
  const fd = openOrChanged(path);
  const stat = fstatSync(fd);
  if (!stat.isFile() || stat.size !== size) {
    closeSync(fd);
    throw fileChanged(path, stat.isFile() ? `got ${stat.size} bytes, want ${size}` : "it is no regular file");
  }
  return {
    digest,
    read: (into) => fsCall(() => readSync(fd, into, 0, into.length, null)),
    close: () => closeSync(fd),
  };
}

function openOrChanged(path: Buffer): number {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (cause) {
    throw fileChanged(path, "it cannot be opened", cause);
  }
}

function fileChanged(path: Buffer, how: string, cause?: unknown): BuildError {
  return new BuildError("CONTEXT_FILE_CHANGED", `file ${JSON.stringify(path.toString())} changed: ${how}`, { cause });
}

/** The whole content, at most `limit` bytes of it; closes the reader. */
export function readAll(reader: FileReader, limit: number): Buffer {
  try {
    const parts: Buffer[] = [];
    let left = limit;
    while (left > 0) {
      const part = Buffer.allocUnsafe(Math.min(left, 1 << 16));
      const got = reader.read(part);
      if (got === 0) break;
      parts.push(part.subarray(0, got));
      left -= got;
    }
    return Buffer.concat(parts);
  } finally {
    reader.close();
  }
}

/** sha256 of the whole content; closes the reader. */
export function digestOfContent(reader: FileReader): Digest {
  try {
    const hash = createHash("sha256");
    const part = Buffer.allocUnsafe(1 << 18);
    for (let got = reader.read(part); got > 0; got = reader.read(part)) hash.update(part.subarray(0, got));
    return digestFromHex(hash.digest("hex"));
  } finally {
    reader.close();
  }
}
