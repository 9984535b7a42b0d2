import * as zlib from "node:zlib";
import { BuildError } from "../base/errors.ts";
import { defineTask } from "../base/task.ts";
import { compressZstd } from "./zstd.ts";

export interface CompressBlockInput {
  readonly compression: "gzip" | "zstd";
  readonly level: number;
  readonly block: Uint8Array;
}

export const compressBlockTask = defineTask<CompressBlockInput, Uint8Array>("layer.compressBlock");

/**
 * Compresses one block so that it can stand behind others: for gzip as deflate data that ends at a byte (RFC 1951,
 * nothing marks it as the last), for zstd as a frame of its own (RFC 8878). Throws EXPORT_UNSUPPORTED for zstd on a Node
 * that has none.
 */
export function compressBlock({ compression, level, block }: CompressBlockInput): Uint8Array {
  if (compression === "gzip") {
    return zlib.deflateRawSync(block, { level, finishFlush: zlib.constants.Z_SYNC_FLUSH });
  }
  if (compressZstd !== null) return compressZstd(block, level);
  throw new BuildError("EXPORT_UNSUPPORTED", `Node ${process.versions.node} cannot compress with zstd`, {
    hint: "use gzip, or Node 22.15 or later",
  });
}
