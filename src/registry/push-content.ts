import type { Descriptor } from "../image/descriptor.ts";

/** A blob that can be sent from any byte on. */
export interface PushBlob {
  readonly descriptor: Descriptor;
  /** Bytes from `start` up to, not including, `end`. They are not verified: the registry does that. */
  open(start: number, end: number): AsyncIterable<Uint8Array>;
  /** Reads all of it and throws BLOB_DIGEST_MISMATCH when it is not what its descriptor says. */
  verify(): Promise<void>;
  /** `registry/repository` where the blob is known to be. */
  readonly origins: readonly string[];
}

/** A manifest or an index. */
export interface PushManifest {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
}

/** An image as it goes to a registry. */
export interface PushContent {
  /** Layers and configs, each once. */
  readonly blobs: readonly PushBlob[];
  /** Of an index: the manifests it names. */
  readonly manifests: readonly PushManifest[];
  /** What tags will lead to. */
  readonly root: PushManifest;
}
