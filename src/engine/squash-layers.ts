import type { DiffId } from "../base/digest.ts";
import type { TaskRunner } from "../base/task.ts";
import type { ImageConfig } from "../image/image-config.ts";
import type { Platform } from "../image/platform.ts";
import { squashConfig } from "../image/squash-config.ts";
import { needsLayersBelowTask, squashLayersTask } from "../layer/squash-layers.ts";
import { squashKey } from "../steps/step-key.ts";
import type { CacheRecords } from "../store/cache-records.ts";
import type { LayerStore } from "../store/layer-store.ts";

/** The upper layers of an image as one. */
export interface SquashedLayers {
  /** How many layers stay as they are below it. */
  readonly keptLayers: number;
  /** The one layer the others became; null when there were less than two of them. */
  readonly merged: DiffId | null;
}

/** What squashing an image of one platform came to; sizes are those of all its layers, not compressed. */
export interface SquashReport {
  readonly platform: Platform;
  readonly mergedLayers: number;
  readonly keptLayers: number;
  readonly beforeBytes: number;
  readonly afterBytes: number;
}

/** What squashing works with. */
export interface SquashParts {
  readonly layers: LayerStore;
  readonly tasks: TaskRunner;
  /** Remembers what layers became. */
  readonly records: CacheRecords;
  /** Look nothing up in `records`. */
  readonly ignoreCache: boolean;
}

/** Merges the layers from number `keptLayers` on, lowest first; a single one stays what it is. */
export async function squashLayersFrom(
  keptLayers: number,
  diffIds: readonly DiffId[],
  { layers, tasks, records, ignoreCache }: SquashParts,
  signal: AbortSignal,
): Promise<SquashedLayers> {
  const own = diffIds.slice(keptLayers);
  if (own.length < 2) return { keptLayers, merged: null };
  const { key, inputs } = squashKey(own, diffIds.slice(0, keptLayers));
  const known = ignoreCache ? null : await records.lookup(key);
  const [found] = known?.layers ?? [];
  if (found !== undefined) return { keptLayers, merged: found.diffId };
  const readable = (wanted: readonly DiffId[]) => Promise.all(wanted.map((diffId) => layers.readable(diffId, signal)));
  const merged = await readable(own);
  // What stays below may never have been fetched, and need not be when nothing of it is deleted.
  const isBelowNeeded = keptLayers === 0 || (await tasks.run(needsLayersBelowTask, merged, signal));
  const below = isBelowNeeded ? await readable(diffIds.slice(0, keptLayers)) : null;
  const into = await layers.makeTemporary();
  const squashed = await tasks.run(squashLayersTask, { merged, below, into }, signal);
  await layers.commitTar(into, squashed);
  const createdAtMs = Date.now();
  const description = `squash ${own.length} layers`;
  await records.save({ key, layers: [{ diffId: squashed.diffId, createdAtMs }], createdAtMs, description, inputs });
  return { keptLayers, merged: squashed.diffId };
}

/** The config of `image` with its squashed layers. */
export const squashedConfig = (image: ImageConfig, { keptLayers, merged }: SquashedLayers): ImageConfig =>
  merged === null ? image : squashConfig(image, keptLayers, merged);

/** What became of the layers `diffIds` of an image. */
export async function reportSquash(
  platform: Platform,
  diffIds: readonly DiffId[],
  { keptLayers, merged }: SquashedLayers,
  layers: LayerStore,
): Promise<SquashReport> {
  const sizes = await Promise.all(diffIds.map((diffId) => layers.sizeBytes(diffId)));
  const sum = (some: readonly number[]): number => some.reduce((total, bytes) => total + bytes, 0);
  const beforeBytes = sum(sizes);
  return {
    platform,
    keptLayers,
    mergedLayers: diffIds.length - keptLayers,
    beforeBytes,
    afterBytes: merged === null ? beforeBytes : sum(sizes.slice(0, keptLayers)) + (await layers.sizeBytes(merged)),
  };
}
