import { createHash, hash } from "node:crypto";
import { closeSync, fsyncSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { asDiffId, type DiffId, type Digest, digestFromHex } from "../base/digest.ts";
import { BuildError } from "../base/errors.ts";
import type { LayerRow } from "./entry.ts";
import type { FileReader } from "./file-tree.ts";
import { fsCall } from "./fs-call.ts";
import { LayerIndexWriter } from "./layer-index-writer.ts";
import { blockBytes, encodeTarHeader, paddingAfter, tarEnd, writePlainTarHeader } from "./tar-encoder.ts";

/** A row before its content was written: the writer finds out digest and offset. */
export type NewRow = Omit<LayerRow, "digest" | "offset">;

/** A finished layer that lies in files of its own, not yet part of the store. */
export interface PackedLayer {
  readonly diffId: DiffId;
  /** Size of the uncompressed tar in bytes. */
  readonly sizeBytes: number;
}

/**
 * Makes a layer row by row: hashes contents, the tar as a whole, and collects the index. Rows must come sorted by path
 * (as `LayerRow` says), each directory before its content. A hardlink's target must have come before it.
 */
export interface LayerWriter {
  /**
   * `content` is read to its end and closed; null for everything but files. Throws CONTEXT_FILE_CHANGED when it is not
   * `row.size` bytes long, BLOB_DIGEST_MISMATCH when it does not have the digest it promises. The tar has times in whole seconds.
   * Returns the digest of the content; null when there is none.
   */
  add(row: NewRow, content: FileReader | null): Digest | null;
  /** Ends the tar; the files are complete, and flushed to disk if the tar is kept. */
  finish(): PackedLayer;
  /** Closes the files of a layer that cannot be finished; they are left to whoever owns the directory. */
  abandon(): void;
}

const bufferBytes = 1 << 20;

/**
 * Starts a layer in an existing `directory`: writes `<directory>/index` and, with `keepTar`, `<directory>/tar`.
 * Without `keepTar` the tar is only hashed, and the index has the times of the directory it was made from, to the
 * nanosecond.
 */
export function openLayerWriter(directory: string, options: { readonly keepTar: boolean }): LayerWriter {
  const index = new LayerIndexWriter(join(directory, "index"), true);
  const tar = new TarOutput(options.keepTar ? fsCall(() => openSync(join(directory, "tar"), "wx")) : null);
  return {
    add(row, content) {
      tar.appendHeader(row);
      const offset = tar.sizeBytes;
      const kept = options.keepTar && row.mtimeNanos !== 0 ? { ...row, mtimeNanos: 0 } : row;
      if (row.type !== "file") {
        index.add({ ...kept, digest: null, offset: null });
        return null;
      }
      if (content === null) throw new BuildError("INTERNAL", `no content for file ${JSON.stringify(row.path)}`);
      try {
        const digest = tar.appendContent(row, content);
        index.add({ ...kept, digest, offset });
        return digest;
      } finally {
        content.close();
      }
    },
    finish() {
      const packed = tar.finish();
      // Without a tar the layer is a directory that nobody flushes: what a power loss damages is noticed, and made again.
      index.finish(packed.diffId, packed.sizeBytes, options.keepTar);
      return packed;
    },
    abandon() {
      index.abandon();
      tar.abandon();
    },
  };
}

/** Collects the bytes of a tar in a large buffer that is hashed, and written if there is a file, when it is full. */
class TarOutput {
  readonly #fd: number | null;
  readonly #hash = createHash("sha256");
  readonly #buffer = Buffer.allocUnsafeSlow(bufferBytes);
  readonly #probe = Buffer.allocUnsafe(1);
  #used = 0;
  #flushed = 0;

  constructor(fd: number | null) {
    this.#fd = fd;
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

  /** Appends a file's content, read straight into the buffer, and its padding. */
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

  finish(): PackedLayer {
    this.#appendZeros(tarEnd.length);
    this.#flush();
    const fd = this.#fd;
    if (fd !== null) {
      fsCall(() => fsyncSync(fd));
      closeSync(fd);
    }
    return { diffId: asDiffId(digestFromHex(this.#hash.digest("hex"))), sizeBytes: this.#flushed };
  }

  abandon(): void {
    if (this.#fd !== null) closeSync(this.#fd);
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
    const full = this.#buffer.subarray(0, this.#used);
    this.#hash.update(full);
    const fd = this.#fd;
    if (fd !== null) {
      fsCall(() => {
        for (let at = 0; at < full.length; ) at += writeSync(fd, full, at);
      });
    }
    this.#flushed += full.length;
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
