import { availableParallelism } from "node:os";
import { BuildError } from "../base/errors.ts";
import { Semaphore } from "../base/semaphore.ts";
import type { TaskRunner } from "../base/task.ts";
import { type CompressedPart, compressBlocks, withLevel } from "../layer/compress-blocks.ts";
import type { OverlayXattrs } from "../layer/directory-writer.ts";
import { readLayerIndex } from "../layer/layer-index.ts";
import { passLayerTar, streamLayerTar } from "../layer/stream-layer-tar.ts";
import { unpackLayerTask } from "../layer/unpack-layer.ts";
import type { LayerConversions } from "./layer-conversions.ts";
import { writeBlob } from "./write-blob.ts";

/** Conversions as tasks: the heavy ones run wherever `runner` runs them, as many at a time as there are cores. */
export function taskConversions(runner: TaskRunner, overlayXattrs: OverlayXattrs): LayerConversions {
  /** Each layer takes memory for its blocks; a second one fills the time in which the first one waits for the disk. */
  const compressing = new Semaphore(2);
  return {
    unpack: (source, blob, diffId, wanted, signal) => {
      const identity = blob === null ? null : { digest: blob.digest, size: blob.size };
      return runner.run(unpackLayerTask, { source, blob: identity, diffId, ...wanted, overlayXattrs }, signal);
    },
    isCanonical: async ({ indexFile }) => readLayerIndex(indexFile).isCanonical,
    streamTar: (layer, signal) => cancellable(streamLayerTar(layer), signal),
    passTar: (layer, signal) => cancellable(passLayerTar(layer), signal),
    compress(tar, { compression, level }, known, into, signal) {
      if (compression === "none") return writeBlob(asParts(tar), into);
      // Twice as many blocks as cores: none waits while this thread reads the next ones.
      const parallel = 2 * availableParallelism();
      const parts = compressBlocks(tar, withLevel(compression, level), known, runner, parallel, signal);
      return compressing.use(() => writeBlob(parts, into), signal);
    },
  };
}

async function* cancellable(chunks: Iterable<Uint8Array>, signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
  for (const chunk of chunks) {
    if (signal.aborted) throw new BuildError("BUILD_CANCELLED", "the build was cancelled");
    yield chunk;
  }
}

async function* asParts(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<CompressedPart, void> {
  for await (const bytes of chunks) yield { bytes, block: null };
}
