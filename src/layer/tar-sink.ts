import { createHash } from "node:crypto";
import { closeSync, fsyncSync, openSync, writeSync } from "node:fs";
import { fsCall } from "./fs-call.ts";

/** A buffer that has its memory to itself. */
export type TarBuffer = Buffer<ArrayBuffer>;

/** Takes the bytes of a tar piece by piece: they are hashed, and written if there is a file. */
export interface TarSink {
  /**
   * Takes the first `used` bytes of `buffer`, and the buffer with them: the one it gives back, of the same size, is to be
   * filled next. Throws STORE_NO_SPACE and so on, also for what was taken before.
   */
  take(buffer: TarBuffer, used: number): TarBuffer;
  /** Flushes the file to disk and closes it, also when that fails. Returns the sha256 of all bytes in hex. Throws as `take`. */
  finish(): string;
  /** Closes the file where it stands. */
  abandon(): void;
}

/** Does everything at once, in the calling thread. */
export class DirectTarSink implements TarSink {
  readonly #fd: number | null;
  readonly #hash = createHash("sha256");

  /** `file` is created; null: the tar is only hashed. */
  constructor(file: string | null) {
    this.#fd = file === null ? null : fsCall(() => openSync(file, "wx"));
  }

  take(buffer: TarBuffer, used: number): TarBuffer {
    const full = buffer.subarray(0, used);
    this.#hash.update(full);
    const fd = this.#fd;
    if (fd !== null) {
      fsCall(() => {
        for (let at = 0; at < full.length; ) at += writeSync(fd, full, at);
      });
    }
    return buffer;
  }

  finish(): string {
    const fd = this.#fd;
    try {
      if (fd !== null) fsCall(() => fsyncSync(fd));
      return this.#hash.digest("hex");
    } finally {
      this.abandon();
    }
  }

  abandon(): void {
    if (this.#fd !== null) closeSync(this.#fd);
  }
}
