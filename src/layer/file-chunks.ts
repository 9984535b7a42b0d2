import { closeSync, openSync, readSync } from "node:fs";
import { fsCall } from "./fs-call.ts";

const chunkBytes = 1 << 19;

/** The bytes of `file` from byte `from` on, in chunks of their own buffers. */
export function fileChunks(file: string, from = 0): Generator<Buffer, void> {
  return readChunks(file, from, () => Buffer.allocUnsafeSlow(chunkBytes));
}

/** The bytes of `file` in chunks that share a buffer: each is gone when the next one is asked for. */
export function passingChunks(file: string): Generator<Buffer, void> {
  const buffer = Buffer.allocUnsafeSlow(chunkBytes);
  return readChunks(file, 0, () => buffer);
}

function* readChunks(file: string, from: number, takeBuffer: () => Buffer): Generator<Buffer, void> {
  const fd = fsCall(() => openSync(file, "r"));
  try {
    for (let at = from; ; ) {
      const chunk = takeBuffer();
      const got = fsCall(() => readSync(fd, chunk, 0, chunkBytes, at));
      if (got === 0) return;
      at += got;
      yield chunk.subarray(0, got);
    }
  } finally {
    closeSync(fd);
  }
}
