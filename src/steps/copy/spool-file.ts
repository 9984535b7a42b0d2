import { closeSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { fsCall } from "../../layer/fs-call.ts";

/**
 * A new file that is written once and then read at any place, by many readers without opening it again. It is made
 * with the first bytes.
 */
export class SpoolFile {
  readonly #path: string;
  #fd: number | null = null;

  constructor(path: string) {
    this.#path = path;
  }

  append(bytes: Uint8Array): void {
    fsCall(() => {
      this.#fd ??= openSync(this.#path, "wx+");
      for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd, bytes, at);
    });
  }

  /** Fills `into` with what stands at byte `offset` of the file; the number read, 0 at the end. */
  readAt(into: Uint8Array, offset: number): number {
    const fd = this.#fd;
    return fd === null ? 0 : fsCall(() => readSync(fd, into, 0, into.length, offset));
  }

  /** Closes the file and removes it. */
  remove(): void {
    if (this.#fd === null) return;
    closeSync(this.#fd);
    this.#fd = null;
    rmSync(this.#path);
  }
}
