import { BuildError, exitCodeOf, isBuildError } from "../base/errors.ts";
import { makeContainer } from "../engine/containers/make-container.ts";
import type { ImageWish } from "../engine/containers/obtain-image.ts";
import type { RunRequest } from "../engine/containers/run-request.ts";
import { attachContainer, requireTerminal } from "./attach-container.ts";
import { chooseRenderer, parsePlatformFlag } from "./build-command.ts";
import { parseExtraHosts, parseSize, parseUlimits } from "./build-flags.ts";
import type { RunOptions } from "./container-commands.ts";
import { parseLimits } from "./limit-flags.ts";
import { renderError } from "./render-error.ts";
import { ReportedError } from "./reported-error.ts";
import { parseEnvironment, parseTmpfs, parseVolumes, readEnvironmentFiles } from "./run-flags.ts";
import { storeRoot } from "./store-root.ts";
import { withInterrupt } from "./with-interrupt.ts";

/** What docker run exits with when it is not the program that failed. */
const ownFailure = 125;

/** `tsbuild run`: exits with what the program exits with. */
export async function runRun(image: string, command: readonly string[], options: RunOptions): Promise<void> {
  const settings = { root: storeRoot(options.root), environment: process.env };
  let exitCode: number;
  try {
    const request = toRunRequest(command, options, process.env);
    const wish: ImageWish = {
      name: image,
      platform: options.platform === undefined ? null : parsePlatformFlag(options.platform),
      pull: options.pull as ImageWish["pull"],
    };
    const streams = { hasInput: options.interactive === true, hasTerminal: options.tty === true };
    requireTerminal(streams);
    const renderer = chooseRenderer(options, (text) => void process.stderr.write(text));
    const container = await withInterrupt((signal) => makeContainer(settings, wish, request, renderer, signal)).finally(
      () => renderer.close(),
    );
    exitCode = await attachContainer(streams, (io, signal) => container.run(io, signal));
  } catch (error) {
    process.stderr.write(renderError(error, { excerpt: null, step: null, debug: options.debug === true }));
    throw new ReportedError(error, exitCodeOfRun(error));
  }
  if (exitCode !== 0) throw new ReportedError(null, exitCode);
}

/** 126 and 127 for a program that cannot be run or is not there, as a shell has it. */
function exitCodeOfRun(error: unknown): number {
  if (isBuildError(error, "BUILD_CANCELLED")) return exitCodeOf(error);
  const code = isBuildError(error, "RUN_FAILED") ? error.details.exitCode : undefined;
  return typeof code === "number" ? code : ownFailure;
}

/** The request a command line stands for; throws USAGE_INVALID for values that make no sense. */
export function toRunRequest(
  args: readonly string[],
  options: RunOptions,
  caller: Readonly<Record<string, string | undefined>>,
): RunRequest {
  const { mounts, volumes } = parseVolumes(options.volume);
  const cwd = options.workdir ?? null;
  if (cwd !== null && !cwd.startsWith("/"))
    throw new BuildError("USAGE_INVALID", `--workdir ${JSON.stringify(cwd)}: is no absolute path`);
  if (options.hostname !== undefined && !/^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,62})$/.test(options.hostname))
    throw new BuildError("USAGE_INVALID", `--hostname ${JSON.stringify(options.hostname)}: is no name of a machine`);
  return {
    args,
    name: options.name ?? null,
    isTransient: options.rm === true,
    hasTerminal: options.tty === true,
    entrypoint: options.entrypoint ?? null,
    env: [...readEnvironmentFiles(options.envFile, caller), ...parseEnvironment(options.env, caller)],
    cwd,
    user: options.user ?? null,
    hostname: options.hostname ?? null,
    mounts: [...mounts, ...parseTmpfs(options.tmpfs)],
    volumes,
    isReadOnly: options.readOnly === true,
    network: options.network === "none" ? "none" : "host",
    extraHosts: parseExtraHosts(options.addHost),
    shmSizeBytes: options.shmSize === undefined ? null : parseSize("shm-size", options.shmSize),
    ulimits: parseUlimits(options.ulimit),
    limits: parseLimits(options),
  };
}
