import { BuildError, isBuildError, withFacts } from "../base/errors.ts";
import { didYouMean } from "../dockerfile/suggest-name.ts";
import type { Platform } from "../image/platform.ts";
import type { ContextNames } from "./context-names.ts";
import { locatedAsync } from "./located.ts";
import type { GitSource, HttpSource, PlanSources, ResolvedImage } from "./plan-input.ts";
import type { StagePlan, StageTable } from "./stage-plan.ts";

/** What a stage starts from, looked up: layers not fetched, nothing built. */
export type ResolvedBase =
  | { readonly kind: "scratch"; readonly platform: Platform }
  | { readonly kind: "image"; readonly image: ResolvedImage; readonly platform: Platform }
  | { readonly kind: "tree"; readonly context: string; readonly platform: Platform }
  | { readonly kind: "remote"; readonly source: GitSource | HttpSource; readonly platform: Platform };

const commonImages = ["alpine", "busybox", "centos", "debian", "golang", "ubuntu", "fedora"];

/**
 * Looks up what the given stages start from, all at the same time and equal ones once; stages that start from stages need
 * nothing.
 */
export async function resolveBases(
  plans: Iterable<StagePlan>,
  table: StageTable,
  target: Platform,
  contexts: ContextNames,
  sources: PlanSources,
  signal: AbortSignal,
): Promise<void> {
  const open = [...plans].filter((plan) => plan.base === null && plan.resolved === null);
  const pending = new Map<string, Promise<ResolvedBase>>();
  const resolved = open.map((plan) => {
    const key = JSON.stringify([plan.replacement, plan.baseName, plan.platform]);
    const base =
      pending.get(key) ??
      locatedAsync(plan.location, () => resolveBase(plan, table, target, contexts, sources, signal));
    pending.set(key, base);
    return base;
  });
  for (const [at, base] of (await Promise.all(resolved)).entries()) {
    const plan = open[at];
    if (plan !== undefined) plan.resolved = base;
  }
}

async function resolveBase(
  plan: StagePlan,
  table: StageTable,
  target: Platform,
  contexts: ContextNames,
  sources: PlanSources,
  signal: AbortSignal,
): Promise<ResolvedBase> {
  if (plan.replacement === null && plan.baseName === "scratch") return { kind: "scratch", platform: target };
  const platform = plan.platform ?? target;
  const context = plan.replacement ?? contexts.find(plan.baseName, platform);
  if (context !== null) return fromContext(context, platform, sources, signal);
  try {
    const image = await sources.resolveImage(plan.baseName, platform, plan.location, signal);
    return { kind: "image", image, platform };
  } catch (error) {
    throw isBuildError(error) ? explain(error, plan.baseName, table) : error;
  }
}

async function fromContext(
  name: string,
  platform: Platform,
  sources: PlanSources,
  signal: AbortSignal,
): Promise<ResolvedBase> {
  const context = await sources.namedContext(name, platform, signal);
  switch (context.kind) {
    case "image":
      return { kind: "image", image: context.image, platform };
    case "scratch":
      return { kind: "scratch", platform };
    case "tree":
      return { kind: "tree", context: context.context, platform };
    default:
      return { kind: "remote", source: context, platform };
  }
}

/** A name that is no image may be a misspelled stage. A malformed one is a mistake in the Dockerfile, not of the caller. */
function explain(error: BuildError, name: string, table: StageTable): BuildError {
  if (error.code === "REFERENCE_INVALID")
    return new BuildError(
      "STAGE_INVALID",
      `base name ${JSON.stringify(name)} is no stage and no image: ${error.message}`,
      {
        hint: didYouMean(name, table.names()) ?? error.hint,
        location: error.location,
        cause: error,
      },
    );
  const hint = didYouMean(name, [...table.names(), ...commonImages]);
  return hint === undefined ? error : withFacts(error, { hint });
}
