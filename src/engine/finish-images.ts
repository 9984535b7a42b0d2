import { digestOf } from "../base/digest.ts";
import type { TaskRunner } from "../base/task.ts";
import { assembleImage } from "../image/assemble-image.ts";
import { serializeImageConfig } from "../image/config-json.ts";
import { epochOf } from "../output/open-output.ts";
import type { PlatformImage } from "../output/output.ts";
import { isForPlatform, type OutputAnnotation } from "../output/output-annotation.ts";
import type { OutputSpec } from "../output/parse-output-flag.ts";
import { rewriteTimestamps } from "../output/rewrite-timestamps.ts";
import type { ImageDraft } from "../plan/build-graph.ts";
import type { Snapshot } from "../steps/snapshot.ts";
import type { LayerStore } from "../store/layer-store.ts";
import type { SquashChoice } from "./build-request.ts";
import {
  reportSquash,
  type SquashedLayers,
  type SquashParts,
  type SquashReport,
  squashedConfig,
  squashLayersFrom,
} from "./squash-layers.ts";

/** An image whose layers are made. */
export interface BuiltImage {
  readonly draft: ImageDraft;
  /** Lowest first; those of the base image, then the new ones. */
  readonly layers: Snapshot["layers"];
  /** What the upper ones became; null when they are left alone. */
  readonly squashed: SquashedLayers | null;
}

/** What turns built images into the images of an output. */
export interface FinishParts {
  readonly layers: LayerStore;
  readonly tasks: TaskRunner;
  readonly annotations: readonly OutputAnnotation[];
  /** SOURCE_DATE_EPOCH of the build in seconds; null for none. */
  readonly epoch: number | null;
}

/** The images as `spec` wants them: an output may have an epoch of its own, and rewritten layers. */
export async function finishImages(
  built: readonly BuiltImage[],
  spec: OutputSpec,
  parts: FinishParts,
  signal: AbortSignal,
): Promise<readonly PlatformImage[]> {
  const epoch = epochOf(spec, parts.epoch);
  const images = built.map((image) => assemble(image, epoch, parts.annotations));
  if (epoch === null || !("rewriteTimestamps" in spec) || !spec.rewriteTimestamps) return images;
  return Promise.all(
    images.map((image, at) =>
      rewriteTimestamps(image, baseLayersOf(built[at] as BuiltImage), epoch, parts.layers, parts.tasks, signal),
    ),
  );
}

/** Layers that are not rewritten: those no row of the build made, which came with the base image, if they are still there. */
const baseLayersOf = ({ draft, layers, squashed }: BuiltImage): number =>
  Math.min(baseLayerCount(draft, layers), squashed?.keptLayers ?? layers.length);

/** How many layers came with the base image. */
export const baseLayerCount = (draft: ImageDraft, layers: Snapshot["layers"]): number =>
  layers.length - draft.history.filter(({ kind }) => kind === "layer").length;

/** Merges upper layers of built images as `choice` says; the layers themselves and what the cache knows of them stay. */
export async function squashImages(
  built: readonly BuiltImage[],
  choice: SquashChoice,
  parts: SquashParts,
  signal: AbortSignal,
): Promise<readonly BuiltImage[]> {
  const squash = async (image: BuiltImage): Promise<BuiltImage> => {
    const { draft, layers } = image;
    const base = baseLayerCount(draft, layers);
    const kept = { all: 0, new: base, stage: base + (draft.layersOfStage ?? 0) }[choice.kind];
    const diffIds = layers.map(({ diffId }) => diffId);
    return { ...image, squashed: await squashLayersFrom(kept, diffIds, parts, signal) };
  };
  return Promise.all(built.map(squash));
}

/** What squashing did to each of `built` it was asked for. */
export async function reportSquashes(
  built: readonly BuiltImage[],
  layerStore: LayerStore,
): Promise<readonly SquashReport[]> {
  const reports = built.map(({ draft, layers, squashed }) => {
    const diffIds = layers.map(({ diffId }) => diffId);
    return squashed === null ? [] : [reportSquash(draft.platform, diffIds, squashed, layerStore)];
  });
  return Promise.all(reports.flat());
}

function assemble(
  { draft, layers, squashed }: BuiltImage,
  epoch: number | null,
  annotations: readonly OutputAnnotation[],
): PlatformImage {
  const whole = assembleImage({ ...draft, layers, epoch });
  const image = squashed === null ? whole : squashedConfig(whole, squashed);
  const config = serializeImageConfig(image);
  const own = annotations.filter((given) => given.level === "manifest" && isForPlatform(given, image.platform));
  return {
    platform: image.platform,
    config,
    imageId: digestOf(config),
    diffIds: image.diffIds,
    annotations: new Map(own.map(({ key, value }) => [key, value])),
  };
}
