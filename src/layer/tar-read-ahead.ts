import { closeSync, openSync, readSync } from "node:fs";
import type { TarRange } from "./file-tree.ts";
import { fsCall } from "./fs-call.ts";
import { blockBytes } from "./tar-encoder.ts";

const leastBytes = 1 << 16;
/** A tar's own headers lie between one content and the next. */
const adjacentBytes = 8 * blockBytes;

/**
 * Fills a buffer, in which a tar is made, with contents of another tar. It reads on behind what is asked for: where both
 * tars go on alike, the next contents are in their place already, and many files cost one system call.
 */
export class TarReadAhead {
  readonly #fds = new Map<string, number>();
  /** What was read last, of which tar. */
  #tarFile = "";
  /** Place in the tar less place in the buffer, for all that lies in the buffer before `end`. */
  #shift = 0;
  #end = 0;
  /** Where in the tar the content behind the last one begins, but for headers. */
  #next = -1;
  #windowBytes = leastBytes;

  /**
   * Puts `size` bytes of `range` into `buffer` at `at`; may overwrite all that lies behind. False when the tar cannot be
   * opened or ends before. Before another buffer, `forget` must be called.
   */
  fill(buffer: Buffer, at: number, range: TarRange, size: number): boolean {
    const isThere = this.#tarFile === range.tarFile && this.#shift === range.offset - at && at + size <= this.#end;
    if (!isThere && !this.#read(buffer, at, range, size)) return false;
    this.#next = range.offset + size;
    return true;
  }

  /** What was read ahead is no longer there. */
  forget(): void {
    this.#end = 0;
  }

  close(): void {
    for (const fd of this.#fds.values()) closeSync(fd);
    this.#fds.clear();
  }

  #read(buffer: Buffer, at: number, range: TarRange, size: number): boolean {
    const gap = range.offset - this.#next;
    const isAdjacent = this.#tarFile === range.tarFile && gap >= 0 && gap <= adjacentBytes;
    this.#windowBytes = isAdjacent ? Math.min(2 * this.#windowBytes, buffer.length) : leastBytes;
    const fd = this.#open(range.tarFile);
    if (fd === null) return false;
    const want = Math.min(Math.max(size, this.#windowBytes), buffer.length - at);
    let got = 0;
    while (got < size) {
      const more = fsCall(() => readSync(fd, buffer, at + got, want - got, range.offset + got));
      if (more === 0) break;
      got += more;
    }
    this.#tarFile = range.tarFile;
    this.#shift = range.offset - at;
    this.#end = at + got;
    return got >= size;
  }

  #open(tarFile: string): number | null {
    const known = this.#fds.get(tarFile);
    if (known !== undefined) return known;
    try {
      const fd = openSync(tarFile, "r");
      this.#fds.set(tarFile, fd);
      return fd;
    } catch {
      return null;
    }
  }
}
