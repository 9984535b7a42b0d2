import { createHash } from "node:crypto";
import { digestFromHex } from "../base/digest.ts";
import { BuildError } from "../base/errors.ts";
import { fileChunks } from "./file-chunks.ts";
import { type LayerIndex, readLayerIndex } from "./layer-index.ts";
import type { LayerLocation } from "./layer-location.ts";
import { openContent } from "./rootfs-view.ts";
import { encodeTarHeader, paddingAfter, tarEnd } from "./tar-encoder.ts";

const chunkBytes = 1 << 19;

/**
 * The tar of a layer in chunks of their own buffers: read from its tar, or made again from index and directory. Throws
 * BLOB_DIGEST_MISMATCH behind the last chunk when what came is not the diffID, CONTEXT_FILE_CHANGED earlier when the
 * directory is not what the index says, LAYER_NOT_FOUND when there is nothing the tar can be made from.
 */
export function* streamLayerTar(layer: LayerLocation): Generator<Buffer, void> {
  const hash = createHash("sha256");
  for (const chunk of layer.tarFile === null ? regenerate(layer) : fileChunks(layer.tarFile)) {
    hash.update(chunk);
    yield chunk;
  }
  const got = digestFromHex(hash.digest("hex")) as string;
  if (got !== layer.diffId) throw new BuildError("BLOB_DIGEST_MISMATCH", `layer ${layer.diffId}: got ${got}`);
}

function* regenerate(layer: LayerLocation): Generator<Buffer, void> {
  const index = readLayerIndex(layer.indexFile);
  if (!index.isCanonical || layer.directory === null) {
    throw new BuildError(
      "LAYER_NOT_FOUND",
      `layer ${layer.diffId} has no tar, and it cannot be made from what is there`,
    );
  }
  yield* inChunks(parts(layer, index));
}

/** The bytes of the tar in parts of any size, each valid until the next is asked for. */
function* parts(layer: LayerLocation, index: LayerIndex): Generator<Readonly<Uint8Array>, void> {
  const buffer = Buffer.allocUnsafe(chunkBytes);
  for (const row of index) {
    yield encodeTarHeader(row);
    if (row.type !== "file") continue;
    const content = openContent(layer, row);
    try {
      let left = row.size;
      for (let got = content.read(buffer); got > 0; got = content.read(buffer)) {
        left -= got;
        yield buffer.subarray(0, got);
      }
      if (left !== 0)
        throw new BuildError("CONTEXT_FILE_CHANGED", `${JSON.stringify(row.path)} has ${-left} bytes too many`);
    } finally {
      content.close();
    }
    yield tarEnd.subarray(0, paddingAfter(row.size));
  }
  yield tarEnd;
}

function* inChunks(parts: Iterable<Readonly<Uint8Array>>): Generator<Buffer, void> {
  let chunk = Buffer.allocUnsafeSlow(chunkBytes);
  let used = 0;
  for (const part of parts) {
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
