import type { SourceLocation } from "../base/source-location.ts";
import { defaultCheckOptions } from "../dockerfile/checks/check-options.ts";
import type { InstructionOf } from "../dockerfile/instruction.ts";
import { expandWord } from "../dockerfile/word-expansion.ts";
import { normalizePlatform } from "../image/platform.ts";
import type { GraphVertex, RunMount } from "./build-graph.ts";
import { ContextNames } from "./context-names.ts";
import { docComment } from "./doc-comment.ts";
import type { GlobalArgs } from "./global-args.ts";
import { GraphBuilder } from "./graph-builder.ts";
import type { PlanInput, PlanSources } from "./plan-input.ts";
import { planStages } from "./plan-stages.ts";
import { PlanWarnings } from "./plan-warnings.ts";
import { type PreparedImage, prepareImage } from "./prepare-image.ts";
import type { StageDraft } from "./stage-draft.ts";
import type { StagePlan } from "./stage-plan.ts";

export interface OutlineArg {
  readonly name: string;
  /** From the comment `# <name> <description>` in front of ARG. */
  readonly description: string;
  /** What it is in this build; null when nothing gives it a value. */
  readonly value: string | null;
  readonly location: SourceLocation;
}

/** A secret or an ssh agent that steps mount. */
export interface OutlineMount {
  readonly id: string;
  readonly required: boolean;
  readonly location: SourceLocation | null;
}

/** What a user can or must give a target, in the order of the Dockerfile. */
export interface BuildOutline {
  readonly target: string | null;
  readonly description: string;
  readonly args: readonly OutlineArg[];
  readonly secrets: readonly OutlineMount[];
  readonly ssh: readonly OutlineMount[];
}

/** The outline of the target for the first platform. Reads what `planBuild` reads and rejects as it does. */
export async function outlineBuild(input: PlanInput, sources: PlanSources, signal: AbortSignal): Promise<BuildOutline> {
  const platform = normalizePlatform(input.targetPlatforms[0] ?? input.buildPlatform);
  const warnings = new PlanWarnings(defaultCheckOptions);
  const prepared = await prepareImage(
    input,
    platform,
    new ContextNames(input.contextNames),
    sources,
    warnings,
    "needed",
    signal,
  );
  const graph = new GraphBuilder();
  const { drafts } = planStages(prepared, input, sources, graph, warnings);
  const from = prepared.target.stage?.from;
  const name = from?.stageName ?? null;
  return {
    target: name,
    description: name === null ? "" : docComment(from?.comments ?? [], name),
    args: byLine(argsOf(input, prepared, drafts)),
    secrets: byLine(mountsOf(graph.vertices, "secret")),
    ssh: byLine(mountsOf(graph.vertices, "ssh")),
  };
}

const byLine = <T extends { readonly location: SourceLocation | null }>(items: readonly T[]): readonly T[] =>
  items.toSorted((a, b) => (a.location?.startLine ?? 0) - (b.location?.startLine ?? 0));

/** ARGs of the stages the target needs, and the global ones they use, directly or not. */
function argsOf(
  input: PlanInput,
  { reachable, globals }: PreparedImage,
  drafts: ReadonlyMap<StagePlan, StageDraft>,
): readonly OutlineArg[] {
  const found = new Map<string, OutlineArg>();
  const usedGlobals = new Set<string>();
  for (const plan of reachable) {
    for (const name of namesInFrom(input, plan, globals)) usedGlobals.add(name);
    // In one stage the last ARG of a name counts, of several stages the first.
    const own = new Map<string, OutlineArg>();
    for (const { instruction } of plan.steps) {
      if (instruction.kind !== "arg") continue;
      for (const { key, value } of instruction.args) {
        const isInherited = value === null && !input.buildArgs.has(key) && globals.values.has(key);
        if (isInherited) usedGlobals.add(key);
        else own.set(key, outlineArg(key, drafts.get(plan)?.args.get(key) ?? null, instruction));
      }
    }
    for (const [key, arg] of own) if (!found.has(key)) found.set(key, arg);
  }
  for (const name of usedGlobals) {
    const global = globals.declared.get(name);
    if (global === undefined) continue;
    for (const other of global.uses) usedGlobals.add(other);
    if (!found.has(name)) found.set(name, outlineArg(name, global.value, global.instruction));
  }
  return [...found.values()];
}

function outlineArg(name: string, value: string | null, { comments, location }: InstructionOf<"arg">): OutlineArg {
  return { name, description: docComment(comments, name), value, location };
}

function namesInFrom(input: PlanInput, { stage }: StagePlan, globals: GlobalArgs): readonly string[] {
  if (stage === null) return [];
  return [stage.from.base, stage.from.platform ?? ""].flatMap((word) => [
    ...expandWord(word, (name) => globals.values.get(name), input.dockerfile.escape).used,
  ]);
}

/** One entry for each id, where it is mounted first. */
function mountsOf(vertices: readonly GraphVertex[], kind: "secret" | "ssh"): readonly OutlineMount[] {
  const found = new Map<string, OutlineMount>();
  for (const { spec, location } of vertices) {
    const mounts: readonly RunMount[] = spec.kind === "run" ? spec.mounts : [];
    for (const mount of mounts)
      if (mount.kind === kind && !found.has(mount.id))
        found.set(mount.id, { id: mount.id, required: mount.required, location });
  }
  return [...found.values()];
}
