import type { Dockerfile } from "../../../src/dockerfile/instruction.ts";
import { parseDockerfile } from "../../../src/dockerfile/parse-dockerfile.ts";
import type { Platform } from "../../../src/image/platform.ts";
import type { BuildGraph } from "../../../src/plan/build-graph.ts";
import { planBuild } from "../../../src/plan/plan-build.ts";
import type { PlanInput } from "../../../src/plan/plan-input.ts";
import { FakePlanSources } from "./fake-plan-sources.ts";

export const amd64: Platform = { os: "linux", architecture: "amd64", variant: "", osVersion: "" };

/** A build of `dockerfile` for which the user said nothing special. */
export function planInput(dockerfile: Dockerfile): PlanInput {
  return {
    dockerfile,
    buildArgs: new Map(),
    target: null,
    targetPlatforms: [],
    buildPlatform: amd64,
    multiPlatform: false,
    labels: new Map(),
    noCache: false,
    network: "default",
    hostname: "",
    extraHosts: [],
    shmSizeBytes: null,
    ulimits: [],
    contextNames: [],
    entitlements: [],
    squashAfter: null,
  };
}

/** The graph of a Dockerfile's text. */
export async function planText(
  text: string,
  changes: Partial<PlanInput> = {},
  sources = new FakePlanSources(),
): Promise<BuildGraph> {
  const dockerfile = parseDockerfile(Buffer.from(text), "Dockerfile");
  return planBuild({ ...planInput(dockerfile), ...changes }, sources, new AbortController().signal);
}
