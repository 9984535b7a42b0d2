import { once } from "node:events";
import { Readable } from "node:stream";
import { createGunzip, type Gunzip } from "node:zlib";
import { BuildError, isBuildError } from "../base/errors.ts";
import { type ArchiveCompression, detectCompression, magicBytes } from "./magic.ts";
import { createZstdDecompress, decompressZstd } from "./zstd.ts";

const outputChunkBytes = 1 << 18;

/**
 * Gives the uncompressed bytes of `chunks` to `write`, whichever of the `allowed` formats they are in, told by how they
 * begin; what is in no known format is passed on as it is. No other program is run. A chunk given to `write` is valid
 * only during the call. Throws LAYER_MALFORMED for damaged data or a format that is not allowed; what `write` throws
 * ends it at once.
 */
export async function decompress(
  chunks: Iterable<Buffer>,
  allowed: readonly ArchiveCompression[],
  write: (bytes: Buffer) => void,
): Promise<ArchiveCompression> {
  const { start, all } = peek(chunks);
  const compression = detectCompression(start);
  if (compression !== "none" && !allowed.includes(compression)) {
    throw new BuildError("LAYER_MALFORMED", `data is compressed with ${compression}, want ${allowed.join(" or ")}`);
  }
  try {
    if (compression === "none") for (const chunk of all) write(chunk);
    else if (compression === "xz") await (await import("./xz.ts")).decompressXz(all, write);
    else if (compression === "bzip2") (await import("./bzip2.ts")).decompressBzip2(all, write);
    else if (compression === "gzip") await throughZlib(createGunzip({ chunkSize: outputChunkBytes }), all, write);
    else if (createZstdDecompress === null) decompressZstd(all, write);
    else await throughZlib(createZstdDecompress({ chunkSize: outputChunkBytes }), all, write);
  } catch (cause) {
    if (isBuildError(cause)) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new BuildError("LAYER_MALFORMED", `${compression} data is damaged: ${reason}`, { cause });
  }
  return compression;
}

/** The first bytes, as many as a format is told by, and all chunks including these. */
function peek(chunks: Iterable<Buffer>): { readonly start: Buffer; readonly all: Generator<Buffer, void> } {
  const iterator = chunks[Symbol.iterator]();
  const head: Buffer[] = [];
  let length = 0;
  while (length < magicBytes) {
    const next = iterator.next();
    if (next.done === true) break;
    head.push(next.value);
    length += next.value.length;
  }
  function* all(): Generator<Buffer, void> {
    try {
      yield* head;
      for (let next = iterator.next(); next.done !== true; next = iterator.next()) yield next.value;
    } finally {
      iterator.return?.();
    }
  }
  return { start: Buffer.concat(head, Math.min(length, magicBytes)), all: all() };
}

async function throughZlib(engine: Gunzip, chunks: Iterable<Buffer>, write: (bytes: Buffer) => void): Promise<void> {
  let given = 0;
  function* counted(): Generator<Buffer, void> {
    for (const chunk of chunks) {
      given += chunk.length;
      yield chunk;
    }
  }
  const source = Readable.from(counted(), { highWaterMark: 1 });
  source.once("error", (error) => engine.destroy(error));
  try {
    for await (const bytes of source.pipe(engine)) write(bytes as Buffer);
  } finally {
    source.destroy();
    if (!source.closed) await once(source, "close");
  }
  // zlib stops silently at what does not begin another member.
  if (engine.bytesWritten !== given) throw new Error(`${given - engine.bytesWritten} bytes of garbage behind its end`);
}
