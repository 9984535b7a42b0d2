import { createHash } from "node:crypto";
import * as zlib from "node:zlib";
import { type Digest, digestFromHex } from "../base/digest.ts";
import { BuildError } from "../base/errors.ts";
import { defineTask } from "../base/task.ts";
import { isIncompressible } from "./incompressible.ts";
import { compressZstd } from "./zstd.ts";

export interface CompressBlockInput {
  readonly compression: "gzip" | "zstd";
  readonly level: number;
  /** In memory that is shared with the caller, who leaves it alone until the task is done. */
  readonly block: Uint8Array;
  /** Takes the result; shared, too, and large enough for a block that gets no smaller. */
  readonly into: Uint8Array;
}

export interface CompressBlockOutput {
  /** How many bytes of `into` are the result. */
  readonly size: number;
  /** Of these bytes. */
  readonly digest: Digest;
}

export const compressBlockTask = defineTask<CompressBlockInput, CompressBlockOutput>("layer.compressBlock");

/** More than a block of `size` bytes can take: both formats store what they cannot compress, with some bytes in front. */
export const largestResult = (size: number): number => size + (size >> 6) + 1024;

/**
 * Compresses one block so that it can stand behind others: for gzip as deflate data that ends at a byte (RFC 1951,
 * nothing marks it as the last), for zstd as a frame of its own (RFC 8878). Throws EXPORT_UNSUPPORTED for zstd on a Node
 * that has none.
 */
export function compressBlock({ compression, level, block, into }: CompressBlockInput): CompressBlockOutput {
  const bytes = compressed(compression, level, block);
  into.set(bytes);
  return { size: bytes.length, digest: digestFromHex(createHash("sha256").update(bytes).digest("hex")) };
}

function compressed(compression: "gzip" | "zstd", level: number, block: Uint8Array): Uint8Array {
  // The largest memory level is 7 % faster, and smaller by a little.
  if (compression === "gzip")
    return zlib.deflateRawSync(block, {
      level: isIncompressible(block) ? 0 : level,
      memLevel: zlib.constants.Z_MAX_MEMLEVEL,
      chunkSize,
      finishFlush: zlib.constants.Z_SYNC_FLUSH,
    });
  if (compressZstd !== null) return compressZstd(block, level);
  throw new BuildError("EXPORT_UNSUPPORTED", `Node ${process.versions.node} cannot compress with zstd`, {
    hint: "use gzip, or Node 22.15 or later",
  });
}

/** What zlib writes into at a time: a block of sources fits into few of these. */
const chunkSize = 1 << 18;
