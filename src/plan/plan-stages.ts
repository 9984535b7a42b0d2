import { BuildError } from "../base/errors.ts";
import type { TreeSource } from "./build-graph.ts";
import type { BuildScope } from "./build-scope.ts";
import type { GraphBuilder } from "./graph-builder.ts";
import type { PlanInput, PlanSources } from "./plan-input.ts";
import { planStage } from "./plan-stage.ts";
import type { PlanWarnings } from "./plan-warnings.ts";
import type { PreparedImage } from "./prepare-image.ts";
import { proxyEnvironment } from "./proxy-environment.ts";
import type { StageDraft } from "./stage-draft.ts";
import type { StagePlan } from "./stage-plan.ts";
import { TextBudget } from "./text-budget.ts";

const defaultHostname = "buildkitsandbox";

/** The stages of one image, planned. */
export interface PlannedStages {
  readonly build: BuildScope;
  readonly drafts: ReadonlyMap<StagePlan, StageDraft>;
  readonly target: StageDraft;
}

/** Plans every stage the target needs, in the order of the Dockerfile, and adds what they do to `graph`. */
export function planStages(
  prepared: PreparedImage,
  input: PlanInput,
  sources: PlanSources,
  graph: GraphBuilder,
  warnings: PlanWarnings,
): PlannedStages {
  const trees = new Map<StagePlan, TreeSource>();
  const build: BuildScope = {
    input,
    graph,
    warnings,
    trees,
    budget: new TextBudget(),
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
  const target = drafts.get(prepared.target);
  if (target === undefined) throw new BuildError("INTERNAL", `stage ${prepared.target.label}: not planned`);
  return { build, drafts, target };
}

/** Progress names a stage unless it is all there is; BuildKit counts what mounts refer to as well. */
function isAlone({ table }: PreparedImage): boolean {
  const mounts = table.stages.some(({ steps }) =>
    steps.some(({ instruction }) => instruction.kind === "run" && instruction.mounts.length > 0),
  );
  return table.stages.length === 1 && !table.hasExternals && !mounts;
}
