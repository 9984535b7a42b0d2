import type { DiffId } from "../base/digest.ts";
import type { Descriptor } from "../image/descriptor.ts";
import type { LayerLocation } from "../layer/layer-location.ts";
import type { PackedLayer } from "../layer/layer-writer.ts";
import type { BlobFormat } from "./layer-store.ts";

/** Makes one form of a layer from another. Every method verifies what it makes. */
export interface LayerConversions {
  /**
   * Decompresses the blob in `blobFile` into `<into>/tar` and `<into>/index`. Throws BLOB_DIGEST_MISMATCH when the tar
   * is not `diffId`, LAYER_* when it is not a sane layer.
   */
  importBlob(
    blobFile: string,
    blob: Descriptor,
    diffId: DiffId,
    into: string,
    signal: AbortSignal,
  ): Promise<PackedLayer>;
  /** Unpacks a layer that has a tar into the new directory `into`, as overlayfs wants it. */
  unpack(layer: LayerLocation, into: string, signal: AbortSignal): Promise<void>;
  /** The bytes of the tar, made from the directory or read from the tar. Throws BLOB_DIGEST_MISMATCH at the end when they are not the diffID. */
  streamTar(layer: LayerLocation, signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** Writes the layer as a blob to the new file `into`, flushed to disk. The bytes depend on the layer and the format alone. */
  compress(layer: LayerLocation, format: BlobFormat, into: string, signal: AbortSignal): Promise<Descriptor>;
}
