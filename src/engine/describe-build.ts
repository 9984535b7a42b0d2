import type { ProgressSink } from "../base/build-event.ts";
import { type BuildError, isBuildError } from "../base/errors.ts";
import { parseDockerfile } from "../dockerfile/parse-dockerfile.ts";
import { type LintResult, lintBuild } from "../plan/lint-build.ts";
import { type BuildTarget, listTargets } from "../plan/list-targets.ts";
import { type BuildOutline, outlineBuild } from "../plan/outline-build.ts";
import type { BuildRequest } from "./build-request.ts";
import { type PlanParts, planInputOf, planSourcesOf, readDockerfile } from "./plan-request.ts";

/** The Dockerfile something was said about. */
export interface DescribedFile {
  /** As the user named it, or it was found. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** What checks find, and what a build would fail with. */
export interface CheckReport extends LintResult {
  readonly dockerfile: DescribedFile;
}

/** What a user can give a target. */
export interface OutlineReport {
  readonly dockerfile: DescribedFile;
  readonly outline: BuildOutline;
}

/** The stages that can be built. */
export interface TargetsReport {
  readonly dockerfile: DescribedFile;
  readonly targets: readonly BuildTarget[];
}

/** Checks the Dockerfile of a request; what is wrong with it is in the report. Rejects when it cannot be read. */
export async function checkRequest(
  request: BuildRequest,
  parts: PlanParts,
  sink: ProgressSink,
  signal: AbortSignal,
): Promise<CheckReport> {
  const dockerfile = await readDockerfile(parts, sink, signal);
  const parsed = tryParse(dockerfile);
  if (!("stages" in parsed)) return { dockerfile, warnings: [], error: parsed };
  const sources = await planSourcesOf(request, parts, signal);
  return { dockerfile, ...(await lintBuild(planInputOf(request, parsed), sources, signal)) };
}

/** What the target of a request takes. Rejects as planning a build does. */
export async function outlineRequest(
  request: BuildRequest,
  parts: PlanParts,
  sink: ProgressSink,
  signal: AbortSignal,
): Promise<OutlineReport> {
  const dockerfile = await readDockerfile(parts, sink, signal);
  const input = planInputOf(request, parseDockerfile(dockerfile.bytes, dockerfile.path));
  return { dockerfile, outline: await outlineBuild(input, await planSourcesOf(request, parts, signal), signal) };
}

/** The stages of the Dockerfile of a request. Rejects when it cannot be read or parsed. */
export async function targetsOfRequest(
  parts: PlanParts,
  sink: ProgressSink,
  signal: AbortSignal,
): Promise<TargetsReport> {
  const dockerfile = await readDockerfile(parts, sink, signal);
  return { dockerfile, targets: listTargets(parseDockerfile(dockerfile.bytes, dockerfile.path)) };
}

function tryParse({ bytes, path }: DescribedFile): ReturnType<typeof parseDockerfile> | BuildError {
  try {
    return parseDockerfile(bytes, path);
  } catch (error) {
    if (isBuildError(error)) return error;
    throw error;
  }
}
