import { createHash } from "node:crypto";
import { closeSync, openSync, readSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { type DiffId, digestFromHex } from "../base/digest.ts";
import { BuildError } from "../base/errors.ts";
import { fromNodeError } from "../sys/system-error.ts";
import { fsCall } from "./fs-call.ts";
import type { PackedLayer } from "./layer-writer.ts";

const chunkBytes = 1 << 19;
/** The writer puts down up to 1 MiB at a time, which takes it longer than this. */
const pollMs = 5;

/** The tar of a layer that somebody is still writing, from its beginning to its end. */
export class GrowingTar {
  readonly #file: string;
  #layer: PackedLayer | null = null;
  #isAbandoned = false;

  /** `file` need not be there yet. */
  constructor(file: string) {
    this.#file = file;
  }

  /** All of it is written. */
  end(layer: PackedLayer): void {
    this.#layer = layer;
  }

  /** It will never be complete. */
  abandon(): void {
    this.#isAbandoned = true;
  }

  /**
   * The bytes, each as soon as it is there; a chunk is gone when the next one is asked for. Throws BLOB_DIGEST_MISMATCH
   * behind the last chunk when they are not the diffID, BUILD_CANCELLED on abort, when the tar is abandoned, and when it
   * was complete and gone before its beginning was read.
   */
  async *chunks(signal: AbortSignal): AsyncGenerator<Buffer, void> {
    const hash = createHash("sha256");
    const buffer = Buffer.allocUnsafeSlow(chunkBytes);
    const fd = await this.#open(signal);
    try {
      for (let at = 0; ; ) {
        // Asked before the read: what was written before the end is there then.
        const layer = this.#layer;
        const got = fsCall(() => readSync(fd, buffer, 0, chunkBytes, at));
        if (got > 0) {
          const chunk = buffer.subarray(0, got);
          hash.update(chunk);
          at += got;
          yield chunk;
        } else if (layer !== null) {
          expectDiffId(layer.diffId, hash.digest("hex"));
          return;
        } else await this.#wait(signal);
      }
    } finally {
      closeSync(fd);
    }
  }

  async #open(signal: AbortSignal): Promise<number> {
    for (;;) {
      const isEnded = this.#layer !== null;
      try {
        return openSync(this.#file, "r");
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw fromNodeError(error);
      }
      // It may have been moved to where it belongs before it was looked for.
      if (isEnded) this.abandon();
      await this.#wait(signal);
    }
  }

  async #wait(signal: AbortSignal): Promise<void> {
    if (this.#isAbandoned || signal.aborted) throw new BuildError("BUILD_CANCELLED", "the layer is not made");
    await sleep(pollMs);
  }
}

function expectDiffId(want: DiffId, hex: string): void {
  const got: string = digestFromHex(hex);
  if (got !== want) throw new BuildError("BLOB_DIGEST_MISMATCH", `layer ${want}: its tar has the diffID ${got}`);
}
