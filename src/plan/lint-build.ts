import { type BuildError, isBuildError } from "../base/errors.ts";
import { checkDockerfile } from "../dockerfile/checks/run-checks.ts";
import { normalizePlatform } from "../image/platform.ts";
import { checkOptionsOf } from "./build-check-options.ts";
import type { BuildWarning } from "./build-graph.ts";
import { ContextNames } from "./context-names.ts";
import { GraphBuilder } from "./graph-builder.ts";
import type { PlanInput, PlanSources } from "./plan-input.ts";
import { planStages } from "./plan-stages.ts";
import { PlanWarnings } from "./plan-warnings.ts";
import { prepareImage } from "./prepare-image.ts";

/** What checks find in a Dockerfile, and the error a build of it would stop at. */
export interface LintResult {
  readonly warnings: readonly BuildWarning[];
  readonly error: BuildError | null;
}

/**
 * Checks a Dockerfile without building it: the target and what it needs, or all stages when no target is named. What a
 * build would fail with is part of the result; rejects with BUILD_CANCELLED only.
 */
export async function lintBuild(input: PlanInput, sources: PlanSources, signal: AbortSignal): Promise<LintResult> {
  const options = checkOptionsOf(input);
  const warnings = new PlanWarnings(options);
  warnings.addAll(checkDockerfile(input.dockerfile, options));
  const platform = normalizePlatform(input.targetPlatforms[0] ?? input.buildPlatform);
  const contexts = new ContextNames(input.contextNames);
  const choice = input.target === null ? "all" : "needed";
  try {
    const prepared = await prepareImage(input, platform, contexts, sources, warnings, choice, signal);
    planStages(prepared, input, sources, new GraphBuilder(), warnings);
    return { warnings: warnings.list, error: null };
  } catch (error) {
    if (!isBuildError(error) || error.code === "BUILD_CANCELLED") throw error;
    return { warnings: warnings.list, error };
  }
}
