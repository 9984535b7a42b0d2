import { BuildError } from "../base/errors.ts";
import { redactUrls } from "../context/redact-url.ts";
import type { Instruction } from "../dockerfile/instruction.ts";
import { formatPlatform, normalizePlatform, type Platform } from "../image/platform.ts";
import type { OpSpec, TreeSource } from "./build-graph.ts";
import type { BuildScope } from "./build-scope.ts";
import { located } from "./located.ts";
import { planArg } from "./plan-arg.ts";
import { planTransfer } from "./plan-copy.ts";
import * as metadata from "./plan-metadata.ts";
import { planRun } from "./plan-run.ts";
import { StageDraft } from "./stage-draft.ts";
import type { StagePlan } from "./stage-plan.ts";
import { StepNames } from "./step-names.ts";
import { foreignLayerComment, StepScope } from "./step-scope.ts";

const layerKinds: ReadonlySet<Instruction["kind"]> = new Set(["run", "copy", "add", "workdir"]);

/** The stage's result after all its instructions. `base` is the result of the stage it starts from, if it does. */
export function planStage(plan: StagePlan, base: StageDraft | null, build: BuildScope, label: string): StageDraft {
  const count = plan.steps.filter(({ instruction }) => layerKinds.has(instruction.kind)).length;
  const isOnImage = plan.base === null && plan.resolved?.kind !== "scratch";
  const names = new StepNames(count + (isOnImage ? 1 : 0), label, build.input.multiPlatform);
  const draft = base === null ? startDraft(plan, build, names) : base.fork();
  if (plan.stage === null || plan.replacement !== null) return draft;
  draft.begin();
  for (const step of plan.steps) {
    build.warnings.check(step.instruction, draft.config.shell.length > 0);
    located(step.instruction.location, () =>
      planInstruction(step.instruction, new StepScope(build, plan, draft, step, names)),
    );
  }
  return draft;
}

function planInstruction(instruction: Instruction, step: StepScope): void {
  switch (instruction.kind) {
    case "arg":
      planArg(step, instruction);
      break;
    case "env":
      metadata.planEnv(step, instruction);
      break;
    case "label":
      metadata.planLabel(step, instruction);
      break;
    case "run":
      planRun(step, instruction);
      break;
    case "copy":
    case "add":
      planTransfer(step, instruction);
      break;
    case "workdir":
      metadata.planWorkdir(step, instruction);
      break;
    case "user":
      metadata.planUser(step, instruction);
      break;
    case "expose":
      metadata.planExpose(step, instruction);
      break;
    case "volume":
      metadata.planVolume(step, instruction);
      break;
    case "stopsignal":
      metadata.planStopSignal(step, instruction);
      break;
    case "cmd":
      metadata.planCmd(step, instruction);
      break;
    case "entrypoint":
      metadata.planEntrypoint(step, instruction);
      break;
    case "shell":
      metadata.planShell(step, instruction);
      break;
    case "healthcheck":
      metadata.planHealthcheck(step, instruction);
      break;
    case "onbuild":
      metadata.planOnbuild(step, instruction);
      break;
    case "maintainer":
      metadata.planMaintainer(step, instruction);
      break;
    case "from":
      break;
  }
}

/** The draft of a stage that starts from an image, a context or nothing. */
function startDraft(plan: StagePlan, build: BuildScope, names: StepNames): StageDraft {
  const { resolved } = plan;
  if (resolved === null) throw new BuildError("INTERNAL", `stage ${plan.label}: planned before its base was resolved`);
  const { platform } = resolved;
  if (resolved.kind === "image") {
    const { image } = resolved;
    const reference = `${image.reference}@${image.manifest}`;
    const spec: OpSpec = { kind: "image", reference: image.reference, manifest: image.manifest, platform };
    const rootfs: TreeSource = image.hasLayers
      ? { kind: "vertex", vertex: addSource(build, plan, spec, `${names.next(platform, null)}FROM ${reference}`) }
      : { kind: "empty" };
    warnOfPlatform(plan, build, platform, image.config.platform);
    return StageDraft.fromImage(rootfs, platform, image.config);
  }
  const start = plan.replacement === null ? StageDraft.fromScratch : StageDraft.fromBareTree;
  if (resolved.kind === "scratch") return start({ kind: "empty" }, platform);
  if (resolved.kind === "tree") return start({ kind: "context", name: resolved.context }, platform);
  const name = `[context ${plan.replacement ?? plan.baseName}] ${redactUrls(resolved.source.url)}`;
  const vertex = addSource(build, plan, resolved.source, name);
  const draft = start({ kind: "vertex", vertex }, platform);
  draft.addLayerRow(vertex, name, foreignLayerComment);
  return draft;
}

function addSource(build: BuildScope, plan: StagePlan, spec: OpSpec, name: string): string {
  return build.graph.add({ spec, name, stage: "", location: plan.location, ignoreCache: false });
}

function warnOfPlatform(plan: StagePlan, build: BuildScope, expected: Platform, actual: Platform): void {
  if (plan.stage === null || (expected.os === actual.os && expected.architecture === actual.architecture)) return;
  build.warnings.add(
    "InvalidBaseImagePlatform",
    `Base image ${plan.baseName} was pulled with platform ${JSON.stringify(formatPlatform(normalizePlatform(actual)))}, expected ${JSON.stringify(formatPlatform(normalizePlatform(expected)))} for current build`,
    plan.stage.from,
  );
}
