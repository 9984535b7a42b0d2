import type { ProgressSink } from "../base/build-event.ts";
import type { ControlFile } from "../context/read-context-file.ts";
import type { Dockerfile } from "../dockerfile/instruction.ts";
import { parseDockerfile } from "../dockerfile/parse-dockerfile.ts";
import { hostPlatform } from "../image/platform.ts";
import type { BuildGraph } from "../plan/build-graph.ts";
import { planBuild } from "../plan/plan-build.ts";
import type { PlanInput, PlanSources } from "../plan/plan-input.ts";
import type { BuildContexts } from "./build-contexts.ts";
import type { BuildRequest } from "./build-request.ts";
import type { ImageResolver } from "./image-resolver.ts";
import { RequestSources } from "./request-sources.ts";

/** What planning needs of the engine. */
export interface PlanParts {
  readonly contexts: BuildContexts;
  readonly images: ImageResolver;
}

/** Reads the Dockerfile and plans what it asks for. */
export async function planRequest(
  request: BuildRequest,
  parts: PlanParts,
  sink: ProgressSink,
  signal: AbortSignal,
): Promise<BuildGraph> {
  const file = await readDockerfile(parts, sink, signal);
  const input = planInputOf(request, parseDockerfile(file.bytes, file.path));
  return planBuild(input, await planSourcesOf(request, parts, signal), signal);
}

/** The Dockerfile of the request, unparsed; `sink` hears of it, for excerpts around errors. */
export async function readDockerfile(
  { contexts }: PlanParts,
  sink: ProgressSink,
  signal: AbortSignal,
): Promise<ControlFile> {
  const file = await contexts.dockerfile(signal);
  sink.emit({ kind: "dockerfile", atMs: Date.now(), file: file.path, text: file.bytes.toString("utf8") });
  return file;
}

/** The request as planning takes it. */
export function planInputOf(request: BuildRequest, dockerfile: Dockerfile): PlanInput {
  return {
    dockerfile,
    buildArgs: request.buildArgs,
    target: request.target,
    targetPlatforms: request.platforms,
    buildPlatform: hostPlatform(),
    multiPlatform: request.platforms.length > 1,
    labels: request.labels,
    noCache: request.noCache,
    network: request.network,
    hostname: "",
    extraHosts: request.extraHosts,
    shmSizeBytes: request.shmSizeBytes,
    ulimits: request.ulimits,
    contextNames: [...request.namedContexts.keys()],
    entitlements: request.entitlements,
    squashAfter: request.squash?.kind === "stage" ? request.squash.name : null,
  };
}

/** The outside world as the request has it. */
export async function planSourcesOf(
  request: BuildRequest,
  { contexts, images }: PlanParts,
  signal: AbortSignal,
): Promise<PlanSources> {
  return new RequestSources(request.namedContexts, contexts, images, await contexts.ignoreRule(signal));
}
