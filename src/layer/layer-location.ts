import type { DiffId } from "../base/digest.ts";

/** Where the forms of a layer lie on this machine; plain data, so that it can be given to a worker thread. */
export interface LayerLocation {
  readonly diffId: DiffId;
  /** File with the index (`layer/layer-index.ts`). */
  readonly indexFile: string;
  /** Uncompressed tar, or null. */
  readonly tarFile: string | null;
  /** Directory overlayfs can mount, or null. */
  readonly directory: string | null;
}
