import { createHash } from "node:crypto";
import { digestFromHex, hexOf } from "../base/digest.ts";
import { BuildError } from "../base/errors.ts";
import { fileChunks } from "../layer/file-chunks.ts";
import { readLayerIndex } from "../layer/layer-index.ts";
import type { LayerLocation } from "../layer/layer-location.ts";
import { openContent } from "../layer/rootfs-view.ts";
import { encodeTarHeader, paddingAfter, tarEnd } from "../layer/tar-encoder.ts";
import { ChunkFiller } from "./chunk-filler.ts";

/**
 * The bytes of a layer's tar: read from the tar if there is one, else made from a canonical index and the directory.
 * Throws BLOB_DIGEST_MISMATCH after the last byte when they are not the diffID, CONTEXT_FILE_CHANGED when a file of the
 * directory is not there or has another size.
 */
export function* streamLayerTar(layer: LayerLocation): Generator<Uint8Array> {
  const hash = createHash("sha256");
  for (const chunk of layer.tarFile === null ? remakeTar(layer) : fileChunks(layer.tarFile)) {
    hash.update(chunk);
    yield chunk;
  }
  const got = digestFromHex(hash.digest("hex"));
  if (hexOf(got) !== hexOf(layer.diffId))
    throw new BuildError("BLOB_DIGEST_MISMATCH", `layer ${layer.diffId}: its tar has the diffID ${got}`, {
      hint: "build again: the layer was set aside and is made anew",
    });
}

function* remakeTar(layer: LayerLocation): Generator<Uint8Array> {
  const index = readLayerIndex(layer.indexFile);
  if (!index.isCanonical)
    throw new BuildError("LAYER_NOT_FOUND", `layer ${layer.diffId}: its tar cannot be made from its directory`);
  const chunks = new ChunkFiller();
  for (const row of index) {
    yield* chunks.add(encodeTarHeader(row));
    if (row.type !== "file") continue;
    const reader = openContent(layer, row);
    try {
      for (let left = row.size; left > 0; ) {
        const got = reader.read(chunks.space(left));
        if (got === 0) break;
        yield* chunks.filled(got);
        left -= got;
      }
    } finally {
      reader.close();
    }
    yield* chunks.add(tarEnd.subarray(0, paddingAfter(row.size)));
  }
  yield* chunks.add(tarEnd);
  yield chunks.rest();
}
