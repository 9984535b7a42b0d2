import { BuildError } from "../base/errors.ts";
import { normalizePlatform, type Platform } from "../image/platform.ts";
import type { BuildGraph, ImageDraft, TreeSource } from "./build-graph.ts";
import type { BuildScope } from "./build-scope.ts";
import { ContextNames } from "./context-names.ts";
import { GraphBuilder } from "./graph-builder.ts";
import { historyRows } from "./history-chain.ts";
import type { PlanInput, PlanSources } from "./plan-input.ts";
import { planStage } from "./plan-stage.ts";
import { PlanWarnings } from "./plan-warnings.ts";
import { type PreparedImage, prepareImage } from "./prepare-image.ts";
import { proxyEnvironment } from "./proxy-environment.ts";
import type { StageDraft } from "./stage-draft.ts";
import type { StagePlan } from "./stage-plan.ts";
import { layersOf } from "./step-scope.ts";
import { unusedBuildArgs } from "./unused-build-args.ts";

const defaultHostname = "buildkitsandbox";

/**
 * Plans a build: everything it will do and the images it will make, as data. Only manifests and configs of base images
 * are read, and named contexts that are used. Rejects with DOCKERFILE_*, STAGE_* and MOUNT_INVALID errors, each with its
 * place in the Dockerfile, and with what `sources` rejects with.
 */
export async function planBuild(input: PlanInput, sources: PlanSources, signal: AbortSignal): Promise<BuildGraph> {
  const platforms = input.targetPlatforms.length === 0 ? [input.buildPlatform] : input.targetPlatforms;
  const contexts = new ContextNames(input.contextNames);
  const warnings = new PlanWarnings();
  const failure = new AbortController();
  const either = AbortSignal.any([signal, failure.signal]);
  try {
    const prepared = await Promise.all(
      platforms.map((platform) =>
        prepareImage(input, normalizePlatform(platform), contexts, sources, warnings, either),
      ),
    );
    const graph = new GraphBuilder();
    const images = prepared.map((image) => planImage(image, input, sources, graph, warnings));
    const roots = images.flatMap(({ rootfs }) => (rootfs === null ? [] : [rootfs]));
    return {
      vertices: graph.neededFor(roots),
      images,
      warnings: [...unusedBuildArgs(input), ...warnings.list],
      epoch: prepared[0]?.epoch ?? null,
    };
  } catch (error) {
    failure.abort();
    throw error;
  }
}

function planImage(
  prepared: PreparedImage,
  input: PlanInput,
  sources: PlanSources,
  graph: GraphBuilder,
  warnings: PlanWarnings,
): ImageDraft {
  const trees = new Map<StagePlan, TreeSource>();
  const build: BuildScope = {
    input,
    graph,
    warnings,
    trees,
    buildArgs: prepared.buildArgs,
    globalArgs: prepared.globals.values,
    proxyEnv: proxyEnvironment(prepared.buildArgs),
    hostname: prepared.buildArgs.get("BUILDKIT_SANDBOX_HOSTNAME") ?? (input.hostname || defaultHostname),
    cacheNamespace: prepared.buildArgs.get("BUILDKIT_CACHE_MOUNT_NS") ?? "",
    epoch: prepared.epoch,
    isIgnored: sources.isIgnored,
  };
  const drafts = new Map<StagePlan, StageDraft>();
  const planOne = (plan: StagePlan, label: string): void => {
    const draft = planStage(plan, plan.base === null ? null : (drafts.get(plan.base) ?? null), build, label);
    drafts.set(plan, draft);
    trees.set(plan, draft.rootfs);
  };
  for (const plan of prepared.reachable) if (plan.stage === null) planOne(plan, "");
  const alone = isAlone(prepared);
  for (const plan of prepared.table.stages) if (prepared.reachable.has(plan)) planOne(plan, alone ? "" : plan.label);
  const draft = drafts.get(prepared.target);
  if (draft === undefined) throw new BuildError("INTERNAL", `stage ${prepared.target.label}: not planned`);
  return finishImage(draft, prepared.platform, build);
}

/** Progress names a stage unless it is all there is; BuildKit counts what mounts refer to as well. */
function isAlone({ table }: PreparedImage): boolean {
  const mounts = table.stages.some(({ steps }) =>
    steps.some(({ instruction }) => instruction.kind === "run" && instruction.mounts.length > 0),
  );
  return table.stages.length === 1 && !table.hasExternals && !mounts;
}

function finishImage(draft: StageDraft, target: Platform, build: BuildScope): ImageDraft {
  const rootfs = layersOf(draft, build);
  for (const [name, value] of build.input.labels) draft.config.labels.set(name, value);
  return {
    platform:
      build.input.targetPlatforms.length === 0 ? draft.imagePlatform : forcedPlatform(draft.imagePlatform, target),
    config: draft.config.toConfig(),
    author: draft.author,
    history: historyRows(draft.history),
    rootfs,
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
