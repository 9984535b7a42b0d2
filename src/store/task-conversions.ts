import { BuildError } from "../base/errors.ts";
import type { TaskRunner } from "../base/task.ts";
import type { OverlayXattrs } from "../layer/directory-writer.ts";
import { readLayerIndex } from "../layer/layer-index.ts";
import { unpackLayerTask } from "../layer/unpack-layer.ts";
import type { LayerConversions } from "./layer-conversions.ts";
import { streamLayerTar } from "./stream-tar.ts";
import { writeBlob } from "./write-blob.ts";

/** Conversions as tasks: the heavy ones run wherever `runner` runs them. */
export function taskConversions(runner: TaskRunner, overlayXattrs: OverlayXattrs): LayerConversions {
  return {
    unpack: (source, blob, diffId, wanted, signal) =>
      runner.run(
        unpackLayerTask,
        {
          source,
          blob: blob === null ? null : { digest: blob.digest, size: blob.size },
          diffId,
          ...wanted,
          overlayXattrs,
        },
        signal,
      ),
    isCanonical: async ({ indexFile }) => readLayerIndex(indexFile).isCanonical,
    async *streamTar(layer, signal) {
      for (const chunk of streamLayerTar(layer)) {
        if (signal.aborted) throw new BuildError("BUILD_CANCELLED", "the build was cancelled");
        yield chunk;
      }
    },
    compress(layer, format, into, signal) {
      return writeBlob(this.streamTar(layer, signal), format, into);
    },
  };
}
