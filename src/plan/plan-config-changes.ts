import { digestOf } from "../base/digest.ts";
import { BuildError, isBuildError } from "../base/errors.ts";
import type { Instruction } from "../dockerfile/instruction.ts";
import { parseDockerfile } from "../dockerfile/parse-dockerfile.ts";
import type { ContainerConfig } from "../image/image-config.ts";
import type { Platform } from "../image/platform.ts";
import { planBuild } from "./plan-build.ts";
import type { PlanSources, ResolvedImage } from "./plan-input.ts";

/** What changes nothing but the config of an image; WORKDIR sets its member and makes no directory here. */
const configKinds: ReadonlySet<Instruction["kind"]> = new Set([
  "cmd",
  "entrypoint",
  "env",
  "expose",
  "healthcheck",
  "label",
  "onbuild",
  "shell",
  "stopsignal",
  "user",
  "volume",
  "workdir",
]);

/**
 * The config an image gets from `changes`, each a Dockerfile instruction; it begins as `base`, null for FROM scratch.
 * Rejects with USAGE_INVALID for what is no instruction about the config.
 */
export async function planConfigChanges(
  changes: readonly string[],
  base: ContainerConfig | null,
  platform: Platform,
  signal: AbortSignal,
): Promise<ContainerConfig> {
  if (base !== null && changes.length === 0) return base;
  for (const change of changes) checkChange(change);
  // Triggers of the base are kept: no new stage begins here that they would be for.
  const { OnBuild: triggers = [], ...start } = base ?? {};
  const from = base === null ? "scratch" : "base";
  const dockerfile = parseDockerfile(Buffer.from([`FROM ${from}`, ...changes].join("\n")), "--change");
  const input = {
    dockerfile,
    buildArgs: new Map(),
    target: null,
    targetPlatforms: [platform],
    buildPlatform: platform,
    multiPlatform: false,
    labels: new Map(),
    noCache: false,
    network: "none",
    hostname: "",
    extraHosts: [],
    shmSizeBytes: null,
    ulimits: [],
    contextNames: [],
    entitlements: [],
    squashAfter: null,
  } as const;
  try {
    const { images } = await planBuild(
      input,
      { ...noSources, resolveImage: async () => imageOf(start, platform) },
      signal,
    );
    const { OnBuild: added = [], ...config } = images[0]?.config ?? {};
    const all = [...triggers, ...added];
    return all.length === 0 ? config : { ...config, OnBuild: all };
  } catch (error) {
    throw isBuildError(error) ? changeError(error.message, error) : error;
  }
}

/** One instruction, and only of the config: parsed alone, so that no change can run on into the next. */
function checkChange(change: string): void {
  const shown = JSON.stringify(change.slice(0, 200));
  try {
    const { stages } = parseDockerfile(Buffer.from(`FROM scratch\n${change}`), "--change");
    const [instruction, second] = stages.flatMap(({ from, instructions }) => [from, ...instructions]).slice(1);
    if (instruction === undefined || second !== undefined) throw changeError(`${shown}: want one instruction`);
    if (!configKinds.has(instruction.kind))
      throw changeError(`${shown}: ${instruction.keyword.toUpperCase()} does not change the config`);
  } catch (error) {
    if (!isBuildError(error) || error.code === "USAGE_INVALID") throw error;
    throw changeError(`${shown}: ${error.message}`, error);
  }
}

const changeError = (problem: string, cause?: BuildError): BuildError =>
  new BuildError("USAGE_INVALID", `--change ${problem}`, {
    hint: "write an instruction of a Dockerfile about the config: --change 'CMD [\"sh\"]'",
    cause,
  });

/** An image without layers that has the config; instructions about the config look at nothing else of it. */
const imageOf = (config: ContainerConfig, platform: Platform): ResolvedImage => ({
  reference: "base",
  manifest: digestOf(""),
  config: { platform, author: "", created: null, config, history: [], diffIds: [] },
  hasLayers: false,
});

const nothing = (): Promise<never> =>
  Promise.reject(new BuildError("INTERNAL", "a change of the config has no source"));

/** Instructions about the config read nothing. */
const noSources: Omit<PlanSources, "resolveImage"> = {
  namedContext: nothing,
  sourceEpoch: nothing,
  isIgnored: null,
};
