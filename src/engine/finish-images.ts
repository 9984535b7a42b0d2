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

/** An image whose layers are made. */
export interface BuiltImage {
  readonly draft: ImageDraft;
  /** Lowest first; those of the base image, then the new ones. */
  readonly layers: Snapshot["layers"];
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

/** Layers that no row of the build made came with the base image. */
const baseLayersOf = ({ draft, layers }: BuiltImage): number =>
  layers.length - draft.history.filter(({ kind }) => kind === "layer").length;

function assemble(
  { draft, layers }: BuiltImage,
  epoch: number | null,
  annotations: readonly OutputAnnotation[],
): PlatformImage {
  const image = assembleImage({ ...draft, layers, epoch });
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
