import type { Platform } from "../image/platform.ts";
import { collectStages, findTarget } from "./collect-stages.ts";
import type { ContextNames } from "./context-names.ts";
import { warnOfDefaultBases } from "./default-bases.ts";
import { evaluateGlobalArgs, type GlobalArgs } from "./global-args.ts";
import { addTriggers } from "./onbuild-triggers.ts";
import type { PlanInput, PlanSources } from "./plan-input.ts";
import type { PlanWarnings } from "./plan-warnings.ts";
import { resolveBases } from "./resolve-bases.ts";
import { resolveEpoch } from "./source-date-epoch.ts";
import { checkCycles } from "./stage-cycles.ts";
import { reachableFrom, type StagePlan, type StageTable } from "./stage-plan.ts";

/** One image's stages, looked up as far as the outside world is concerned: the rest of planning is pure. */
export interface PreparedImage {
  readonly platform: Platform;
  readonly buildArgs: ReadonlyMap<string, string>;
  readonly globals: GlobalArgs;
  readonly epoch: number | null;
  readonly table: StageTable;
  readonly target: StagePlan;
  readonly reachable: ReadonlySet<StagePlan>;
}

/** Which stages count: those the target needs, or all of them, which is for checking without building. */
export type StageChoice = "needed" | "all";

/** Finds the stages one image needs and resolves what they start from and copy from. */
export async function prepareImage(
  input: PlanInput,
  platform: Platform,
  contexts: ContextNames,
  sources: PlanSources,
  warnings: PlanWarnings,
  choice: StageChoice,
  signal: AbortSignal,
): Promise<PreparedImage> {
  const written = evaluateGlobalArgs(input, platform, input.buildArgs);
  const epoch = await resolveEpoch(input, written.values, contexts, platform, sources, signal);
  const buildArgs = withEpoch(input.buildArgs, epoch);
  const globals = { ...written, values: withEpoch(written.values, epoch) };
  warnOfDefaultBases(input, platform, warnings);
  const table = collectStages(input, globals, contexts, platform, warnings);
  const target = findTarget(input, table);
  checkCycles(table.stages);
  for (;;) {
    const reachable = reachableFrom(choice === "all" ? table.stages : [target]);
    await resolveBases(reachable, table, platform, contexts, sources, signal);
    const grew = [...reachable].map((plan) => addTriggers(plan, table)).includes(true);
    if (!grew) return { platform, buildArgs, globals, epoch, table, target, reachable };
  }
}

/** SOURCE_DATE_EPOCH, where it is set, as the number it turned out to be; nothing if it is none. */
function withEpoch(values: ReadonlyMap<string, string>, epoch: number | null): ReadonlyMap<string, string> {
  if (!values.has("SOURCE_DATE_EPOCH")) return values;
  const changed = new Map(values);
  if (epoch === null) changed.delete("SOURCE_DATE_EPOCH");
  else changed.set("SOURCE_DATE_EPOCH", String(epoch));
  return changed;
}
