import type { DiffId, Digest } from "../base/digest.ts";
import type { Descriptor } from "../image/descriptor.ts";
import type { Compression } from "../image/media-types.ts";
import type { LayerLocation } from "../layer/layer-location.ts";
import type { PackedLayer } from "../layer/layer-writer.ts";
import type { BlobIdentity } from "./blob-store.ts";

/** Opens blobs that are not in the store: from a registry or an OCI layout. */
export interface RemoteBlobs {
  /** The blob's bytes as they come, not verified. `origin` is what was given to `addRemote`. */
  open(origin: string, blob: Descriptor, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
}

/** What a blob is to be compressed with; `level` null is the default of the format. */
export interface BlobFormat {
  readonly compression: Compression;
  readonly level: number | null;
}

/**
 * Layers by diffID and the forms each has (docs/store.md): index, tar, directory, blobs. A form that is asked for and
 * not there is made from another one, once, also when asked for by several callers at the same time. Every form is
 * verified when it is made; a layer whose content does not have its diffID is refused (BLOB_DIGEST_MISMATCH).
 */
export interface LayerStore {
  /** A new empty directory inside the store, for `index`, `tar`, `dir` of a layer in the making. Swept when its process is gone. */
  makeTemporary(): Promise<string>;
  /**
   * Waits for `pack`, which writes `<temporary>/tar` front to back, and compresses it meanwhile: `blob` in this format then
   * waits for that instead of beginning anew. Returns, or throws, what `pack` does.
   */
  packWhileCompressing<T extends { readonly layer: PackedLayer }>(
    temporary: string,
    format: BlobFormat,
    pack: () => Promise<T>,
    signal: AbortSignal,
  ): Promise<T>;
  /** Takes over `<temporary>/index` and `<temporary>/tar`; removes the rest. A layer that exists already is kept as it is. */
  commitTar(temporary: string, layer: PackedLayer): Promise<void>;
  /** Takes over `<temporary>/index` and the directory `<temporary>/dir` (an overlay upper), whose tar was only hashed. */
  commitDirectory(temporary: string, layer: PackedLayer): Promise<void>;
  /** Notes that `blob` unpacks to `diffId` and can be had from `origin`; nothing is fetched. */
  addRemote(diffId: DiffId, blob: Descriptor, origin: string): Promise<void>;
  /**
   * Takes a layer in from one of its blobs (gzip, zstd or the tar itself, told by its content) and keeps that blob. Throws
   * BLOB_TOO_LARGE, BLOB_DIGEST_MISMATCH when the bytes are not `blob` or do not unpack to `diffId`, LAYER_MALFORMED;
   * nothing is kept then. Of a layer that has a form already `bytes` are not read.
   */
  importBlob(
    diffId: DiffId,
    blob: BlobIdentity,
    bytes: () => AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<void>;
  /** The origins where `blob` of the layer can be had from, the newest first. */
  origins(diffId: DiffId, blob: Digest): Promise<readonly string[]>;
  /** Whether the layer is known: it has a form, or a remote blob. */
  has(diffId: DiffId): Promise<boolean>;
  /** Index and at least one of tar and directory, made or fetched if needed. */
  readable(diffId: DiffId, signal: AbortSignal): Promise<LayerLocation>;
  /** Host path of the directory form, with overlayfs whiteouts; unpacked if needed. */
  directory(diffId: DiffId, signal: AbortSignal): Promise<string>;
  /** Exactly the bytes of the diffID. */
  tar(diffId: DiffId, signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** A blob of the layer in the blob store: the one it came with (any format, unless `force`), or one made now. */
  blob(diffId: DiffId, format: BlobFormat, signal: AbortSignal, force?: boolean): Promise<Descriptor>;
  /** The blob `digest` if the layer came as that, fetched if it is only known elsewhere; null when it did not. */
  originalBlob(diffId: DiffId, digest: Digest, signal: AbortSignal): Promise<Descriptor | null>;
  /** Size of the uncompressed tar, in bytes; of the compressed blob when only that is known. */
  sizeBytes(diffId: DiffId): Promise<number>;
}
