import type { DiffId } from "../base/digest.ts";
import type { KnownBlocks } from "../layer/compress-blocks.ts";
import type { LayerLocation } from "../layer/layer-location.ts";
import type { PackedLayer } from "../layer/layer-writer.ts";
import type { BlobIdentity } from "./blob-store.ts";
import type { BlobFormat } from "./layer-store.ts";
import type { WrittenBlob } from "./write-blob.ts";

/** What unpacking is to make: new files and a new directory; null for what is not wanted. */
export interface WantedForms {
  readonly indexFile: string | null;
  readonly tarFile: string | null;
  readonly directory: string | null;
}

/** Makes forms of a layer from other ones. Everything is verified on the way and fails with an error of kind corruption. */
export interface LayerConversions {
  /** Reads `file` once: a blob in any compression, or, with `blob` null, the tar itself. */
  unpack(
    file: string,
    blob: BlobIdentity | null,
    diffId: DiffId,
    wanted: WantedForms,
    signal: AbortSignal,
  ): Promise<PackedLayer>;
  /** Whether the tar can be made from index and directory. */
  isCanonical(layer: LayerLocation): Promise<boolean>;
  /** The bytes of the tar, from the tar or from a canonical directory. Fails after the last byte when they are not the diffID. */
  streamTar(layer: LayerLocation, signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** As `streamTar`, but a chunk is gone when the next one is asked for. */
  passTar(layer: LayerLocation, signal: AbortSignal): AsyncIterable<Uint8Array>;
  /**
   * Writes a tar as a blob to the new file `into`, flushed to disk. The bytes depend on tar and format alone; what `known`
   * has of them is not compressed again. A chunk of `tar` is not looked at any more when the next one is asked for.
   */
  compress(
    tar: AsyncIterable<Uint8Array>,
    format: BlobFormat,
    known: KnownBlocks,
    into: string,
    signal: AbortSignal,
  ): Promise<WrittenBlob>;
}
