import { createHash, hash } from "node:crypto";
import { asDiffId, type Digest, digestFromHex } from "../base/digest.ts";
import { BuildError } from "../base/errors.ts";
import type { FileReader, TarRange } from "./file-tree.ts";
import type { NewRow, PackedLayer } from "./layer-writer.ts";
import { blockBytes, encodeTarHeader, paddingAfter, tarEnd, writePlainTarHeader } from "./tar-encoder.ts";
import { TarReadAhead } from "./tar-read-ahead.ts";
import type { TarBuffer, TarSink } from "./tar-sink.ts";
import { ThreadedTarSink } from "./threaded-tar-sink.ts";

const bufferBytes = 1 << 20;
/** Content of more is always read through a FileReader, which costs little beside its size. */
const mostFromTar = bufferBytes / 4;

/** Collects the bytes of a tar in large buffers that are hashed, and written if there is a file, when they are full. */
export class TarOutput {
  readonly #sink: TarSink;
  readonly #probe = Buffer.allocUnsafe(1);
  readonly #readAhead = new TarReadAhead();
  #buffer: TarBuffer = Buffer.allocUnsafeSlow(bufferBytes);
  #used = 0;
  #flushed = 0;

  /** `file` is created; null: the tar is only hashed. */
  constructor(file: string | null) {
    this.#sink = new ThreadedTarSink(file);
  }

  get sizeBytes(): number {
    return this.#flushed + this.#used;
  }

  appendHeader(row: NewRow): void {
    if (bufferBytes - this.#used < blockBytes) this.#flush();
    const plainBytes = writePlainTarHeader(row, this.#buffer, this.#used);
    this.#used += plainBytes;
    if (plainBytes === 0) this.#append(encodeTarHeader(row));
  }

  /** Appends a file's content, read straight into the buffer, and its padding. Throws as `LayerWriter.add`. */
  appendContent(row: NewRow, content: FileReader): Digest {
    if (bufferBytes - this.#used < Math.min(row.size + blockBytes, bufferBytes)) this.#flush();
    const fitsBuffer = row.size <= bufferBytes - this.#used;
    const hex = fitsBuffer ? this.#appendAtOnce(row, content) : this.#appendInParts(row, content);
    if (content.read(this.#probe) !== 0) throw changed(row, `is longer than the ${row.size} bytes it had`);
    const digest = digestFromHex(hex);
    if (content.digest !== undefined && content.digest !== digest) {
      throw new BuildError(
        "BLOB_DIGEST_MISMATCH",
        `content of ${JSON.stringify(row.path)}: got ${digest}, want ${content.digest}`,
      );
    }
    this.#appendZeros(paddingAfter(row.size));
    return digest;
  }

  /**
   * As `appendContent`, with content of another tar. False when it cannot be had from there: it is large, or what lies
   * there is something else. Nothing is appended then.
   */
  appendRange(row: NewRow, range: TarRange): boolean {
    if (row.size > mostFromTar) return false;
    if (bufferBytes - this.#used < row.size + blockBytes) this.#flush();
    if (!this.#readAhead.fill(this.#buffer, this.#used, range, row.size)) return false;
    const whole = this.#buffer.subarray(this.#used, this.#used + row.size);
    if (digestFromHex(hash("sha256", whole, "hex")) !== range.digest) return false;
    this.#used += row.size;
    this.#appendZeros(paddingAfter(row.size));
    return true;
  }

  finish(): PackedLayer {
    this.#appendZeros(tarEnd.length);
    this.#flush();
    this.#readAhead.close();
    return { diffId: asDiffId(digestFromHex(this.#sink.finish())), sizeBytes: this.#flushed };
  }

  /** Closes the file where it stands. */
  abandon(): void {
    this.#readAhead.close();
    this.#sink.abandon();
  }

  /** Returns the sha256 of the content, which fits the buffer, in hex. */
  #appendAtOnce(row: NewRow, content: FileReader): string {
    const whole = this.#buffer.subarray(this.#used, this.#used + row.size);
    for (let done = 0; done < row.size; ) {
      const got = content.read(done === 0 ? whole : whole.subarray(done));
      if (got === 0) throw changed(row, `is shorter than the ${row.size} bytes it had`);
      done += got;
    }
    this.#used += row.size;
    return hash("sha256", whole, "hex");
  }

  #appendInParts(row: NewRow, content: FileReader): string {
    const contentHash = createHash("sha256");
    for (let left = row.size; left > 0; ) {
      if (this.#used === bufferBytes) this.#flush();
      const space = this.#buffer.subarray(this.#used, Math.min(this.#used + left, bufferBytes));
      const got = content.read(space);
      if (got === 0) throw changed(row, `is shorter than the ${row.size} bytes it had`);
      contentHash.update(got === space.length ? space : space.subarray(0, got));
      this.#used += got;
      left -= got;
    }
    return contentHash.digest("hex");
  }

  #append(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      if (this.#used === bufferBytes) this.#flush();
      const part = bytes.subarray(at, at + bufferBytes - this.#used);
      this.#buffer.set(part, this.#used);
      this.#used += part.length;
      at += part.length;
    }
  }

  /** `count` is much smaller than the buffer. */
  #appendZeros(count: number): void {
    if (bufferBytes - this.#used < count) this.#flush();
    this.#buffer.fill(0, this.#used, this.#used + count);
    this.#used += count;
  }

  #flush(): void {
    this.#readAhead.forget();
    this.#flushed += this.#used;
    this.#buffer = this.#sink.take(this.#buffer, this.#used);
    this.#used = 0;
  }
}

function changed(row: NewRow, how: string): BuildError {
  return new BuildError(
    "CONTEXT_FILE_CHANGED",
    `file ${JSON.stringify(row.path)} changed while it was read: it ${how}`,
    {
      hint: "build again when nothing writes to it",
    },
  );
}
