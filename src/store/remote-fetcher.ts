import { BuildError, isBuildError } from "../base/errors.ts";
import { Semaphore } from "../base/semaphore.ts";
import type { Descriptor } from "../image/descriptor.ts";
import type { BlobStore } from "./blob-store.ts";
import type { RemoteBlob } from "./layer-records.ts";
import type { RemoteBlobs } from "./layer-store.ts";

/** How far a download is. */
export interface TransferProgress {
  /** Digest of the blob. */
  readonly label: string;
  readonly doneBytes: number;
  readonly totalBytes: number;
}

export type OnTransfer = (progress: TransferProgress) => void;

const downloadsAtOnce = 4;
const reportEveryMs = 100;

/** Brings blobs of remote layers into the blob store, a few at the same time. */
export class RemoteFetcher {
  readonly #remote: RemoteBlobs;
  readonly #blobs: BlobStore;
  readonly #onTransfer: OnTransfer;
  readonly #slots = new Semaphore(downloadsAtOnce);

  constructor(remote: RemoteBlobs, blobs: BlobStore, onTransfer: OnTransfer) {
    this.#remote = remote;
    this.#blobs = blobs;
    this.#onTransfer = onTransfer;
  }

  /** Stores the first of `candidates` that can be had; throws the failure of the last one. */
  async fetch(candidates: readonly RemoteBlob[], signal: AbortSignal): Promise<Descriptor> {
    let failure: unknown = new BuildError("INTERNAL", "nothing to fetch a layer from");
    for (const { blob, origin } of candidates) {
      try {
        await this.#slots.use(() => this.#fetchOne(blob, origin, signal), signal);
        return blob;
      } catch (error) {
        if (isBuildError(error, "BUILD_CANCELLED")) throw error;
        failure = error;
      }
    }
    throw failure;
  }

  async #fetchOne(blob: Descriptor, origin: string, signal: AbortSignal): Promise<void> {
    if (await this.#blobs.has(blob)) return;
    const bytes = await this.#remote.open(origin, blob, signal);
    await this.#blobs.put(blob, this.#reporting(blob, bytes), signal);
  }

  async *#reporting(blob: Descriptor, bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    let doneBytes = 0;
    let reportedAtMs = Number.NEGATIVE_INFINITY;
    for await (const chunk of bytes) {
      yield chunk;
      doneBytes += chunk.length;
      const nowMs = performance.now();
      if (nowMs - reportedAtMs < reportEveryMs && doneBytes < blob.size) continue;
      reportedAtMs = nowMs;
      this.#onTransfer({ label: blob.digest, doneBytes, totalBytes: blob.size });
    }
  }
}
