import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { PassThrough, Readable, type Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { digestFromHex } from "../base/digest.ts";
import { BuildError } from "../base/errors.ts";
import { createZstdCompress } from "../layer/zstd.ts";
import type { BlobIdentity } from "./blob-store.ts";
import type { BlobFormat } from "./layer-store.ts";
import { withStorageErrors } from "./storage-error.ts";

/** Compresses `chunks` into the new file `into`, flushed to disk. Throws EXPORT_UNSUPPORTED for zstd on a Node without it. */
export async function writeBlob(
  chunks: AsyncIterable<Uint8Array>,
  format: BlobFormat,
  into: string,
): Promise<BlobIdentity> {
  const hash = createHash("sha256");
  let size = 0;
  const file = await withStorageErrors(into, () => open(into, "wx", 0o600));
  try {
    await pipeline(Readable.from(chunks), compressor(format), async (compressed: AsyncIterable<Uint8Array>) => {
      for await (const chunk of compressed) {
        hash.update(chunk);
        size += chunk.length;
        await withStorageErrors(into, () => file.writeFile(chunk));
      }
    });
    await withStorageErrors(into, () => file.sync());
  } finally {
    await file.close();
  }
  return { digest: digestFromHex(hash.digest("hex")), size };
}

function compressor({ compression, level }: BlobFormat): Transform {
  if (compression === "none") return new PassThrough();
  if (compression === "gzip") return createGzip(level === null ? {} : { level });
  if (createZstdCompress === null)
    throw new BuildError("EXPORT_UNSUPPORTED", `zstd is not supported by Node ${process.versions.node}`, {
      hint: "use Node 22.15 or later, or compression=gzip",
    });
  const zstdCompressionLevel = 100;
  return level === null ? createZstdCompress() : createZstdCompress({ params: { [zstdCompressionLevel]: level } });
}
