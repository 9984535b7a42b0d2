import { BuildError } from "../base/errors.ts";
import type { FileReader } from "./file-tree.ts";
import type { NewRow } from "./layer-writer.ts";
import { encodeTarHeader, paddingAfter, tarEnd } from "./tar-encoder.ts";

const chunkBytes = 1 << 19;

/** A row and how to get at its content; `open` is called for files only, when their turn comes. */
export interface TarEntry {
  readonly row: NewRow;
  readonly open: () => FileReader;
}

/**
 * A tar of `entries`, in their order, in chunks of their own buffers. Throws CONTEXT_FILE_CHANGED when a content does
 * not have the size its row says.
 */
export function* encodeTar(entries: Iterable<TarEntry>): Generator<Buffer, void> {
  let chunk = Buffer.allocUnsafeSlow(chunkBytes);
  let used = 0;
  for (const part of parts(entries)) {
    for (let at = 0; at < part.length; ) {
      const piece = part.subarray(at, at + chunkBytes - used);
      chunk.set(piece, used);
      used += piece.length;
      at += piece.length;
      if (used < chunkBytes) continue;
      yield chunk;
      chunk = Buffer.allocUnsafeSlow(chunkBytes);
      used = 0;
    }
  }
  if (used > 0) yield chunk.subarray(0, used);
}

/** The bytes of the tar in parts of any size, each valid until the next is asked for. */
function* parts(entries: Iterable<TarEntry>): Generator<Readonly<Uint8Array>, void> {
  const buffer = Buffer.allocUnsafe(chunkBytes);
  for (const { row, open } of entries) {
    yield encodeTarHeader(row);
    if (row.type !== "file") continue;
    const content = open();
    try {
      let size = 0;
      for (let got = content.read(buffer); got > 0; got = content.read(buffer)) {
        size += got;
        yield buffer.subarray(0, got);
      }
      if (size !== row.size) {
        throw new BuildError(
          "CONTEXT_FILE_CHANGED",
          `${JSON.stringify(row.path)}: got ${size} bytes, want ${row.size}`,
        );
      }
    } finally {
      content.close();
    }
    yield tarEnd.subarray(0, paddingAfter(row.size));
  }
  yield tarEnd;
}
