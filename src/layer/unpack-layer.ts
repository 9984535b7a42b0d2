import { createHash } from "node:crypto";
import { closeSync, fsyncSync, openSync, writeSync } from "node:fs";
import { asDiffId, type DiffId, type Digest, digestFromHex } from "../base/digest.ts";
import { BuildError } from "../base/errors.ts";
import { defineTask } from "../base/task.ts";
import { decompress } from "./decompress.ts";
import { DirectoryWriter, type OverlayXattrs } from "./directory-writer.ts";
import { fileChunks } from "./file-chunks.ts";
import { fsCall } from "./fs-call.ts";
import { LayerIndexWriter } from "./layer-index-writer.ts";
import { LayerTarReader } from "./layer-tar-reader.ts";
import type { PackedLayer } from "./layer-writer.ts";
import { defaultTarLimits, type TarLimits } from "./tar-member.ts";
import { TarSplitter } from "./tar-splitter.ts";

export interface UnpackInput {
  /** The layer's tar, or a blob of it: gzip, zstd or not compressed, told by its content. */
  readonly source: string;
  /** Digest and size of `source`; null when it needs no check of its own because it is the tar. */
  readonly blob: { readonly digest: Digest; readonly size: number } | null;
  /** What the tar must hash to. */
  readonly diffId: DiffId;
  /** New files and a new directory to write; null for forms that are not wanted. */
  readonly indexFile: string | null;
  readonly tarFile: string | null;
  readonly directory: string | null;
  /** For `directory`. */
  readonly overlayXattrs: OverlayXattrs;
  readonly limits?: TarLimits;
}

export const unpackLayerTask = defineTask<UnpackInput, PackedLayer>("layer.unpack");

/**
 * Reads a layer once and makes the forms that are asked for. Throws BLOB_DIGEST_MISMATCH when blob or tar are not what
 * they should be, LAYER_MALFORMED, LAYER_TOO_LARGE; what was written then is worthless and stays for the caller to remove.
 * The files are flushed to disk, the directory is not.
 */
export async function unpackLayer(input: UnpackInput): Promise<PackedLayer> {
  const limits = input.limits ?? defaultTarLimits;
  const source = new BlobSource(input.source, input.blob);
  const unpacking = new Unpacking(input, limits);
  try {
    await decompress(source.chunks(), ["gzip", "zstd"], (chunk) => unpacking.take(chunk));
    source.check();
    return unpacking.finish();
  } catch (error) {
    unpacking.abandon();
    // Of a blob that is not what it should be nothing else is worth saying.
    if (error instanceof BuildError && error.code.startsWith("LAYER_")) source.checkRest(error);
    throw error;
  }
}

/** Reads a blob and hashes it on the way. */
class BlobSource {
  readonly #file: string;
  readonly #want: UnpackInput["blob"];
  readonly #hash = createHash("sha256");
  #size = 0;
  #isSound = false;

  constructor(file: string, want: UnpackInput["blob"]) {
    this.#file = file;
    this.#want = want;
  }

  *chunks(): Generator<Buffer, void> {
    for (const chunk of fileChunks(this.#file)) {
      this.#account(chunk);
      yield chunk;
    }
  }

  check(cause?: unknown): void {
    const want = this.#want;
    if (want === null || this.#isSound) return;
    const got = digestFromHex(this.#hash.digest("hex"));
    this.#isSound = got === want.digest && this.#size === want.size;
    if (this.#isSound) return;
    throw new BuildError(
      "BLOB_DIGEST_MISMATCH",
      `layer blob ${want.digest}: got ${got} and ${this.#size} bytes, want ${want.size} bytes`,
      { cause },
    );
  }

  /** Reads what was not read yet and checks all. */
  checkRest(cause: unknown): void {
    if (this.#want === null || this.#isSound) return;
    for (const chunk of fileChunks(this.#file, this.#size)) this.#account(chunk);
    this.check(cause);
  }

  #account(chunk: Buffer): void {
    if (this.#want === null) return;
    this.#hash.update(chunk);
    this.#size += chunk.length;
  }
}

/** Takes the bytes of a tar and makes the forms of a layer from them. */
class Unpacking {
  readonly #input: UnpackInput;
  readonly #limits: TarLimits;
  readonly #tarHash = createHash("sha256");
  readonly #tarFd: number | null;
  readonly #directory: DirectoryWriter | null;
  readonly #reader: LayerTarReader;
  readonly #splitter: TarSplitter;
  #sizeBytes = 0;

  constructor(input: UnpackInput, limits: TarLimits) {
    const { tarFile, directory } = input;
    this.#input = input;
    this.#limits = limits;
    this.#directory = directory === null ? null : new DirectoryWriter(directory, input.overlayXattrs);
    this.#tarFd = tarFile === null ? null : fsCall(() => openSync(tarFile, "wx"));
    this.#reader = new LayerTarReader(this.#directory, limits.maxMembers);
    this.#splitter = new TarSplitter(limits, this.#reader);
  }

  take(chunk: Buffer): void {
    this.#sizeBytes += chunk.length;
    if (this.#sizeBytes > this.#limits.maxTarBytes) {
      throw new BuildError("LAYER_TOO_LARGE", `layer is larger than ${this.#limits.maxTarBytes} bytes`);
    }
    this.#tarHash.update(chunk);
    const fd = this.#tarFd;
    if (fd !== null) {
      fsCall(() => {
        for (let at = 0; at < chunk.length; ) at += writeSync(fd, chunk, at);
      });
    }
    this.#splitter.push(chunk);
  }

  finish(): PackedLayer {
    this.#splitter.end();
    const { diffId, indexFile } = this.#input;
    const got = asDiffId(digestFromHex(this.#tarHash.digest("hex")));
    if (got !== diffId) throw new BuildError("BLOB_DIGEST_MISMATCH", `layer ${diffId}: its tar has the diffID ${got}`);
    this.#directory?.finish(this.#reader.assembly.rows(), this.#reader.assembly.impliedDirectories());
    if (indexFile !== null) this.#writeIndex(indexFile);
    if (this.#tarFd !== null) {
      const fd = this.#tarFd;
      fsCall(() => fsyncSync(fd));
      closeSync(fd);
    }
    return { diffId, sizeBytes: this.#sizeBytes };
  }

  /** Closes what is open. */
  abandon(): void {
    this.#directory?.abandon();
    if (this.#tarFd !== null) closeSync(this.#tarFd);
  }

  #writeIndex(file: string): void {
    const index = new LayerIndexWriter(file, false);
    try {
      for (const row of this.#reader.assembly.rows()) index.add(row);
      index.finish(this.#input.diffId, this.#sizeBytes);
    } catch (error) {
      index.abandon();
      throw error;
    }
  }
}
