import type { DiffId, Digest } from "../base/digest.ts";
import type { Platform } from "../image/platform.ts";

/** An image of one platform, ready to leave: its config is final, its layers are in the layer store. */
export interface PlatformImage {
  readonly platform: Platform;
  /** Exact bytes of the image config. */
  readonly config: Uint8Array;
  /** Digest of `config`: the image ID. */
  readonly imageId: Digest;
  readonly diffIds: readonly DiffId[];
  /** OCI annotations for the manifest. */
  readonly annotations: ReadonlyMap<string, string>;
  /** Exact bytes of the manifest the image came with; it keeps that as long as its layers leave as they came. */
  readonly manifest?: Uint8Array;
  /** Annotations for the descriptors of layers. */
  readonly layerAnnotations?: ReadonlyMap<DiffId, Readonly<Record<string, string>>>;
}

/** What was written. */
export interface OutputReceipt {
  /** Digest of the manifest, or of the index with several platforms; null for outputs that have none (tar, local). */
  readonly manifest: Digest | null;
  /** For the user: `wrote app.tar (12.3 MB)`. */
  readonly summary: string;
}

/** Somewhere an image goes to. All or nothing: after a rejection the destination is as it was before. */
export interface Output {
  write(images: readonly PlatformImage[], signal: AbortSignal): Promise<OutputReceipt>;
}
