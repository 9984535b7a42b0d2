import { defineTask } from "../base/task.ts";
import { readLayerIndex } from "./layer-index.ts";
import type { LayerLocation } from "./layer-location.ts";
import { openLayerWriter, type PackedLayer } from "./layer-writer.ts";
import { openContent } from "./rootfs-view.ts";

export interface ClampInput {
  readonly layer: LayerLocation;
  /** Seconds since 1970. */
  readonly latestSeconds: number;
  /** Existing directory that gets `index` and `tar`. */
  readonly into: string;
}

export const clampLayerTimesTask = defineTask<ClampInput, PackedLayer>("layer.clampTimes");

/**
 * Makes a layer again in which nothing is younger than `latestSeconds`; older times, and everything else, stay. Throws
 * BLOB_DIGEST_MISMATCH for content that is not what the layer says; what was written then is worthless.
 */
export function clampLayerTimes({ layer, latestSeconds, into }: ClampInput): PackedLayer {
  const writer = openLayerWriter(into, { keepTar: true });
  try {
    for (const row of readLayerIndex(layer.indexFile)) {
      const clamped = { ...row, mtimeSeconds: Math.min(row.mtimeSeconds, latestSeconds) };
      writer.add(clamped, row.type === "file" ? openContent(layer, row) : null);
    }
    return writer.finish();
  } catch (error) {
    writer.abandon();
    throw error;
  }
}
