import { createHash } from "node:crypto";
import { digestFromHex } from "../base/digest.ts";
import { BuildError } from "../base/errors.ts";
import { encodeTar, type TarEntry } from "./encode-tar.ts";
import { fileChunks, passingChunks } from "./file-chunks.ts";
import { readLayerIndex } from "./layer-index.ts";
import type { LayerLocation } from "./layer-location.ts";
import { openContent } from "./rootfs-view.ts";

/**
 * The tar of a layer in chunks of their own buffers: read from its tar, or made again from index and directory. Throws
 * BLOB_DIGEST_MISMATCH behind the last chunk when what came is not the diffID, CONTEXT_FILE_CHANGED earlier when the
 * directory is not what the index says, LAYER_NOT_FOUND when there is nothing the tar can be made from.
 */
export function streamLayerTar(layer: LayerLocation): Generator<Buffer, void> {
  return verified(layer, layer.tarFile === null ? encodeTar(entriesOf(layer)) : fileChunks(layer.tarFile));
}

/** As `streamLayerTar`, but a chunk is gone when the next one is asked for: all share one buffer if there is a tar. */
export function passLayerTar(layer: LayerLocation): Generator<Buffer, void> {
  return verified(layer, layer.tarFile === null ? encodeTar(entriesOf(layer)) : passingChunks(layer.tarFile));
}

function* verified(layer: LayerLocation, chunks: Iterable<Buffer>): Generator<Buffer, void> {
  const hash = createHash("sha256");
  for (const chunk of chunks) {
    hash.update(chunk);
    yield chunk;
  }
  const got: string = digestFromHex(hash.digest("hex"));
  if (got !== layer.diffId)
    throw new BuildError("BLOB_DIGEST_MISMATCH", `layer ${layer.diffId}: its tar has the diffID ${got}`);
}

function* entriesOf(layer: LayerLocation): Generator<TarEntry, void> {
  const index = readLayerIndex(layer.indexFile);
  if (!index.isCanonical || layer.directory === null) {
    throw new BuildError(
      "LAYER_NOT_FOUND",
      `layer ${layer.diffId} has no tar, and it cannot be made from what is there`,
    );
  }
  for (const row of index) yield { row, open: () => openContent(layer, row) };
}
