import * as zlib from "node:zlib";
import { Decompress } from "fzstd";

/** zstd of Node itself (22.15 and later); null where it has none. */
const native = zlib as {
  readonly createZstdDecompress?: (options?: { readonly chunkSize: number }) => zlib.Gunzip;
  readonly createZstdCompress?: (options?: { readonly params: Readonly<Record<number, number>> }) => zlib.Gzip;
};

export const createZstdDecompress = native.createZstdDecompress ?? null;
export const createZstdCompress = native.createZstdCompress ?? null;

/** Decompresses zstd in plain JavaScript, for a Node without it: about a tenth as fast. */
export function decompressZstd(chunks: Iterable<Buffer>, write: (bytes: Buffer) => void): void {
  const decompressor = new Decompress((bytes) => {
    if (bytes.length > 0) write(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  });
  for (const chunk of chunks) decompressor.push(chunk);
  decompressor.push(new Uint8Array(0), true);
}
