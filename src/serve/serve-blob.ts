import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { BlobIdentity } from "../store/blob-store.ts";
import type { ContentDigest } from "../store/content-digest.ts";
import { parseByteRange } from "./byte-range.ts";
import { answer, type Exchange, isNotModified } from "./exchange.ts";
import { RegistryRefusal } from "./registry-refusal.ts";
import type { OpenedStore } from "./store-lease.ts";

const readBytes = 1024 * 1024;

/** A blob of a repository, pushed or of an image; null when it has none of that digest. */
export async function findBlob(
  repository: string,
  digest: ContentDigest,
  { store, images }: OpenedStore,
): Promise<BlobIdentity | null> {
  const pushed = await store.repositories.findBlob(repository, digest);
  if (pushed !== null) {
    const blob = { digest: pushed.blob, size: pushed.size };
    if (await store.blobs.has(blob)) return blob;
  }
  return images.blob(repository, digest);
}

/** Answers GET and HEAD of a blob, whole or a range of it. */
export async function serveBlob(
  exchange: Exchange,
  repository: string,
  digest: ContentDigest,
  opened: OpenedStore,
  idleMs: number,
): Promise<void> {
  const { request, response } = exchange;
  const blob = await findBlob(repository, digest, opened);
  if (blob === null) throw new RegistryRefusal(404, "BLOB_UNKNOWN", `blob ${digest}: not in ${repository}`);
  const etag = `"${digest}"`;
  const headers = { "docker-content-digest": digest, etag, "accept-ranges": "bytes" };
  if (isNotModified(exchange, etag)) {
    answer(exchange, 304, headers);
    return;
  }
  const condition = request.headers["if-range"];
  const isWanted = request.method === "GET" && (condition === undefined || condition === etag);
  const range = isWanted ? parseByteRange(request.headers.range, blob.size) : null;
  if (range === "unsatisfiable") {
    const size = { "content-range": `bytes */${blob.size}` };
    throw new RegistryRefusal(416, "RANGE_INVALID", `range ${request.headers.range}: not in ${blob.size} bytes`, size);
  }
  const { start, end } = range ?? { start: 0, end: blob.size };
  response.writeHead(range === null ? 200 : 206, {
    ...headers,
    "content-type": "application/octet-stream",
    "content-length": String(end - start),
    ...(range === null ? {} : { "content-range": `bytes ${start}-${end - 1}/${blob.size}` }),
  });
  if (request.method === "HEAD") {
    // Whoever pushes asks first, and does not send what is there.
    await opened.store.repositories.touchBlob(repository, digest);
    response.end();
    return;
  }
  // Read whole it is verified, and the connection breaks before its last byte if it is not what it should be.
  const bytes =
    range === null
      ? Readable.from(heldBack(opened.store.blobs.read(blob.digest)))
      : createReadStream(opened.store.blobs.path(blob.digest), { start, end: end - 1, highWaterMark: readBytes });
  response.setTimeout(idleMs, () => response.destroy());
  await pipeline(bytes, response);
}

/** The same bytes, each piece only when there is a next one or all is well. */
async function* heldBack(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let held: Uint8Array | null = null;
  for await (const chunk of chunks) {
    if (held !== null) yield held;
    held = chunk;
  }
  if (held !== null) yield held;
}
