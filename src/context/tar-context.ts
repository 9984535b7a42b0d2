import { createHash, type Hash } from "node:crypto";
import { closeSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { asDiffId, digestFromHex } from "../base/digest.ts";
import { BuildError, isBuildError } from "../base/errors.ts";
import { defineTask } from "../base/task.ts";
import { decompress } from "../layer/decompress.ts";
import { SparseExpander } from "../layer/expand-sparse.ts";
import { fileChunks } from "../layer/file-chunks.ts";
import { fsCall } from "../layer/fs-call.ts";
import { type Inode, LayerAssembly } from "../layer/layer-assembly.ts";
import { LayerIndexWriter } from "../layer/layer-index-writer.ts";
import type { LayerLocation } from "../layer/layer-location.ts";
import { type ArchiveCompression, detectCompression } from "../layer/magic.ts";
import { blockBytes } from "../layer/tar-encoder.ts";
import { isSparseRefusal, TarHeaderReader } from "../layer/tar-header-reader.ts";
import { defaultTarLimits, type TarMember } from "../layer/tar-member.ts";
import { type TarSink, TarSplitter } from "../layer/tar-splitter.ts";
import { readHostFile } from "./read-context-file.ts";
import type { LayersSpec } from "./tree-spec.ts";

export interface TarContextInput {
  /** What came on stdin or from a URL. Stays part of the context when it is a tar that is not compressed. */
  readonly file: string;
  /** An existing directory for new files `index` and `tar`, which live as long as the context. */
  readonly directory: string;
}

/** What was sent as build context. */
export type TarContext =
  | {
      readonly kind: "tree";
      readonly tree: LayersSpec;
      /** The youngest of its regular files, in seconds since 1970; null when it has none. */
      readonly newestFileSeconds: number | null;
    }
  /** No archive: the Dockerfile itself, and nothing to copy from. */
  | { readonly kind: "dockerfile"; readonly bytes: Uint8Array };

export const openTarContextTask = defineTask<TarContextInput, TarContext>("context.openTar");

const formats: readonly ArchiveCompression[] = ["gzip", "bzip2", "xz", "zstd"];

/**
 * Opens what was sent as a build context: a tar, plain or compressed with gzip, bzip2, xz or zstd, told by its content,
 * becomes a tree that reads from the tar, owners as they stand there; nothing is unpacked. Anything else is a Dockerfile.
 * Throws CONTEXT_INVALID for a damaged archive or a compressed file that is no tar, DOCKERFILE_TOO_LARGE.
 */
export async function openTarContext(input: TarContextInput): Promise<TarContext> {
  const start = readStart(input.file);
  const isPlain = detectCompression(start) === "none";
  if (isPlain && !beginsLikeTar(start)) return { kind: "dockerfile", bytes: readHostFile(input.file) ?? start };
  try {
    return await indexTar(input, isPlain, "refused").catch((error: unknown) => {
      if (isSparseRefusal(error)) return indexTar(input, isPlain, "filled");
      throw error;
    });
  } catch (error) {
    if (!isBuildError(error) || !error.code.startsWith("LAYER_")) throw error;
    throw new BuildError("CONTEXT_INVALID", `build context archive: ${error.message}`, { cause: error });
  }
}

/** The tree of a tar. Files with holes are refused, or filled in a copy of the tar. */
async function indexTar(input: TarContextInput, isPlain: boolean, holes: "refused" | "filled"): Promise<TarContext> {
  const indexer = new TarIndexer();
  const isCopied = !isPlain || holes === "filled";
  const tarFile = isCopied ? join(input.directory, holes === "filled" ? "filled-tar" : "tar") : input.file;
  const copy = isCopied ? fsCall(() => openSync(tarFile, "wx")) : null;
  const take = (bytes: Buffer): void => {
    indexer.take(bytes);
    if (copy !== null) fsCall(() => writeAll(copy, bytes));
  };
  try {
    const expander = holes === "filled" ? new SparseExpander(defaultTarLimits, take) : null;
    const receive = (bytes: Buffer): void => (expander === null ? take(bytes) : expander.push(bytes));
    if (isPlain) for (const chunk of fileChunks(input.file)) receive(chunk);
    else await decompress(fileChunks(input.file), formats, receive);
    expander?.end();
  } catch (error) {
    if (isCopied) rmSync(tarFile);
    throw error;
  } finally {
    if (copy !== null) closeSync(copy);
  }
  return {
    kind: "tree",
    tree: { kind: "layers", layers: [indexer.finish(join(input.directory, "index"), tarFile)] },
    newestFileSeconds: indexer.newestFileSeconds,
  };
}

function writeAll(fd: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
}

/** The first block of `file`, or less. */
function readStart(file: string): Buffer {
  for (const chunk of fileChunks(file)) return chunk.subarray(0, blockBytes);
  return Buffer.alloc(0);
}

/** Whether a block is the header of a tar's first member, or its end mark. */
function beginsLikeTar(block: Buffer): boolean {
  if (block.length < blockBytes) return false;
  try {
    new TarHeaderReader(defaultTarLimits, "told").header(block, 0);
    return true;
  } catch (error) {
    if (isBuildError(error, "LAYER_MALFORMED")) return false;
    throw error;
  }
}

/** Makes the index of a tar that is no layer: `.wh.` means nothing in it. */
class TarIndexer implements TarSink {
  readonly #tarHash = createHash("sha256");
  readonly #assembly = new LayerAssembly(null, defaultTarLimits.maxMembers, false);
  readonly #splitter = new TarSplitter(defaultTarLimits, this);
  #sizeBytes = 0;
  #newestFileSeconds: number | null = null;
  /** The file whose content is coming. */
  #inode: Inode | null = null;
  #contentHash: Hash = createHash("sha256");

  get newestFileSeconds(): number | null {
    return this.#newestFileSeconds;
  }

  take(bytes: Buffer): void {
    this.#sizeBytes += bytes.length;
    if (this.#sizeBytes > defaultTarLimits.maxTarBytes)
      throw new BuildError("LAYER_TOO_LARGE", `more than ${defaultTarLimits.maxTarBytes} bytes`);
    this.#tarHash.update(bytes);
    this.#splitter.push(bytes);
  }

  member(member: TarMember): void {
    this.#inode = this.#assembly.add(member);
    if (member.type === "file" && member.mtimeSeconds > (this.#newestFileSeconds ?? -Infinity))
      this.#newestFileSeconds = member.mtimeSeconds;
    this.#contentHash = createHash("sha256");
  }

  content(bytes: Buffer): void {
    if (this.#inode !== null) this.#contentHash.update(bytes);
  }

  memberEnd(): void {
    if (this.#inode !== null) this.#inode.digest = digestFromHex(this.#contentHash.digest("hex"));
    this.#inode = null;
  }

  /** Writes the index of `tarFile`, which holds what was taken, to the new file `indexFile`. */
  finish(indexFile: string, tarFile: string): LayerLocation {
    this.#splitter.end();
    const diffId = asDiffId(digestFromHex(this.#tarHash.digest("hex")));
    const index = new LayerIndexWriter(indexFile, false);
    for (const row of this.#assembly.rows()) index.add(row);
    index.finish(diffId, this.#sizeBytes);
    return { diffId, indexFile, tarFile, directory: null };
  }
}
