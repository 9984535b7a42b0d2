import { type DiffId, digestOf } from "../base/digest.ts";
import type { TaskRunner } from "../base/task.ts";
import { parseImageConfig, serializeImageConfig } from "../image/config-json.ts";
import { clampLayerTimesTask } from "../layer/clamp-layer-times.ts";
import type { LayerStore } from "../store/layer-store.ts";
import type { PlatformImage } from "./output.ts";

const rewrittenKey = "buildkit/rewritten-timestamp";

/**
 * The image with layers in which nothing is younger than `epoch` (seconds since 1970). The lowest `baseLayerCount` layers
 * are kept as they are; the others are made again, and their descriptors tell so.
 */
export async function rewriteTimestamps(
  image: PlatformImage,
  baseLayerCount: number,
  epoch: number,
  layers: LayerStore,
  runner: TaskRunner,
  signal: AbortSignal,
): Promise<PlatformImage> {
  const own = await Promise.all(
    image.diffIds.slice(baseLayerCount).map((diffId) => rewriteLayer(diffId, epoch, layers, runner, signal)),
  );
  const diffIds = [...image.diffIds.slice(0, baseLayerCount), ...own];
  const config = serializeImageConfig({ ...parseImageConfig(image.config), diffIds });
  return {
    ...image,
    config,
    imageId: digestOf(config),
    diffIds,
    layerAnnotations: new Map(own.map((diffId) => [diffId, { [rewrittenKey]: String(epoch) }])),
  };
}

async function rewriteLayer(
  diffId: DiffId,
  latestSeconds: number,
  layers: LayerStore,
  runner: TaskRunner,
  signal: AbortSignal,
): Promise<DiffId> {
  const layer = await layers.readable(diffId, signal);
  const into = await layers.makeTemporary();
  const rewritten = await runner.run(clampLayerTimesTask, { layer, latestSeconds, into }, signal);
  await layers.commitTar(into, rewritten);
  return rewritten.diffId;
}
