import { failOnFindings } from "../dockerfile/checks/check-options.ts";
import { checkDockerfile } from "../dockerfile/checks/run-checks.ts";
import { normalizePlatform, type Platform } from "../image/platform.ts";
import { checkOptionsOf } from "./build-check-options.ts";
import type { BuildGraph, ImageDraft } from "./build-graph.ts";
import { ContextNames } from "./context-names.ts";
import { GraphBuilder } from "./graph-builder.ts";
import { historyRows } from "./history-chain.ts";
import { layersOfStage } from "./layers-of-stage.ts";
import type { PlanInput, PlanSources } from "./plan-input.ts";
import { type PlannedStages, planStages } from "./plan-stages.ts";
import { PlanWarnings } from "./plan-warnings.ts";
import { type PreparedImage, prepareImage } from "./prepare-image.ts";
import { layersOf } from "./step-scope.ts";
import { unusedBuildArgs } from "./unused-build-args.ts";

/**
 * Plans a build: everything it will do and the images it will make, as data. Only manifests and configs of base images
 * are read, and named contexts that are used. Rejects with DOCKERFILE_*, STAGE_* and MOUNT_INVALID errors, each with its
 * place in the Dockerfile, and with what `sources` rejects with.
 */
export async function planBuild(input: PlanInput, sources: PlanSources, signal: AbortSignal): Promise<BuildGraph> {
  const platforms = input.targetPlatforms.length === 0 ? [input.buildPlatform] : input.targetPlatforms;
  const contexts = new ContextNames(input.contextNames);
  const options = checkOptionsOf(input);
  const warnings = new PlanWarnings(options);
  warnings.addAll(checkDockerfile(input.dockerfile, options));
  const prepared = await allOrAbort(signal, (either) =>
    platforms.map((platform) =>
      prepareImage(input, normalizePlatform(platform), contexts, sources, warnings, "needed", either),
    ),
  );
  const graph = new GraphBuilder();
  const images = prepared.map((image) => finishImage(planStages(image, input, sources, graph, warnings), image));
  failOnFindings(warnings.list, options);
  const roots = images.flatMap(({ rootfs }) => (rootfs === null ? [] : [rootfs]));
  return {
    vertices: graph.neededFor(roots),
    images,
    warnings: [...unusedBuildArgs(input), ...warnings.list],
    epoch: prepared[0]?.epoch ?? null,
  };
}

/** All results; the first failure stops the rest. */
async function allOrAbort<T>(signal: AbortSignal, start: (either: AbortSignal) => readonly Promise<T>[]): Promise<T[]> {
  const failure = new AbortController();
  try {
    return await Promise.all(start(AbortSignal.any([signal, failure.signal])));
  } catch (error) {
    failure.abort();
    throw error;
  }
}

function finishImage({ build, drafts, target: draft }: PlannedStages, prepared: PreparedImage): ImageDraft {
  const { platform } = prepared;
  const rootfs = layersOf(draft, build);
  for (const [name, value] of build.input.labels) draft.config.labels.set(name, value);
  const isForced = build.input.targetPlatforms.length > 0;
  return {
    platform: isForced ? forcedPlatform(draft.imagePlatform, platform) : draft.imagePlatform,
    config: draft.config.toConfig(),
    author: draft.author,
    history: historyRows(draft.history),
    rootfs,
    ...(build.input.squashAfter === null
      ? {}
      : { layersOfStage: layersOfStage(build.input.squashAfter, prepared, drafts) }),
  };
}

/** The platform the user asked for, with the details only the image knows. */
function forcedPlatform(image: Platform, target: Platform): Platform {
  const isSame = image.os === target.os && image.architecture === target.architecture;
  return normalizePlatform({
    os: target.os,
    architecture: target.architecture,
    variant: target.variant !== "" || !isSame ? target.variant : image.variant,
    osVersion: target.osVersion !== "" || !isSame ? target.osVersion : image.osVersion,
  });
}
