import { chmodSync, chownSync, mkdirSync, statSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { BuildError, isBuildError } from "../base/errors.ts";
import type { ExitStatus, ProcessIo, Runtime } from "../sandbox/runtime.ts";
import type { SandboxMount, SandboxSpec } from "../sandbox/sandbox-spec.ts";
import { type MountInputs, type MountServices, type RunSpec, resolveMounts } from "./run/resolve-mounts.ts";
import { runEnvironment } from "./run/run-environment.ts";

/** What a RUN works on, as it lies on this machine. `temporary` must be empty but for the store's own files. */
export interface RunInputs extends MountInputs {
  /** Overlay directories of the parent, topmost first. */
  readonly lowers: readonly string[];
}

/** What every RUN of a build needs. */
export interface RunServices extends MountServices {
  readonly runtime: Runtime;
}

/** The scratch space of a process that ran in `temporary`. */
export const workDirectory = (temporary: string): string => join(temporary, "work");

const defaultShmSizeBytes = 64 << 20;
const defaultHostname = "buildkitsandbox";

/**
 * Runs the process of a RUN. Afterwards `<temporary>/dir` holds what it changed, as an overlayfs upper directory, and
 * the rest of `temporary` nothing of use. Rejects with RUN_FAILED when the process does not succeed (details: exitCode,
 * signal), RUN_USER_NOT_FOUND, SECRET_NOT_FOUND, RUNTIME_* and BUILD_CANCELLED.
 */
export async function runProcess(
  spec: RunSpec,
  inputs: RunInputs,
  services: RunServices,
  io: ProcessIo,
  signal: AbortSignal,
): Promise<void> {
  const upper = join(inputs.temporary, "dir");
  const work = workDirectory(inputs.temporary);
  // calls of microseconds each: to ask another thread for one takes longer than all of them
  makeUpper(upper, inputs.lowers);
  mkdirSync(work, { mode: 0o700 });
  const { mounts, secretEnv, close } = await resolveMounts(spec, inputs, services, signal);
  const sandbox: SandboxSpec = {
    args: spec.args,
    env: runEnvironment(spec.env, spec.proxyEnv, secretEnv),
    cwd: spec.cwd,
    user: spec.user,
    lowers: inputs.lowers,
    upper,
    work,
    mounts: [...spec.pipes.map(pipeMount), ...mounts],
    network: spec.network === "none" ? "none" : "host",
    security: spec.security,
    hostname: spec.hostname === "" ? defaultHostname : spec.hostname,
    extraHosts: spec.extraHosts,
    shmSizeBytes: spec.shmSizeBytes ?? defaultShmSizeBytes,
    ulimits: spec.ulimits,
  };
  try {
    checkStatus(await services.runtime.run(sandbox, io, signal));
  } catch (error) {
    throw isBuildError(error) && (error.code === "RUN_FAILED" || error.code === "RUN_USER_NOT_FOUND")
      ? unsuccessful(sandbox.args, error)
      : error;
  } finally {
    close();
  }
}

/** Throws RUN_FAILED unless the process ended with status 0. A signal counts as 128 and its number, as in a shell. */
function checkStatus({ exitCode, signal }: ExitStatus): void {
  if (exitCode === 0) return;
  const number = constants.signals[signal as NodeJS.Signals];
  const status = exitCode ?? 128 + (number ?? 0);
  throw new BuildError("RUN_FAILED", `exit code: ${status}`, { details: { exitCode: status, signal } });
}

/** `error` with the command it is about. */
function unsuccessful(args: readonly string[], error: BuildError): BuildError {
  const command = args.join(" ");
  return new BuildError(
    error.code,
    `process ${JSON.stringify(command)} did not complete successfully: ${error.message}`,
    {
      hint: error.hint,
      details: { ...error.details, command },
      cause: error.cause,
    },
  );
}

/**
 * Makes the upper directory for an overlay of `lowers`, topmost first. It is what the root looks like. No layer has a row
 * for the root, so its mode is what unpacking one makes of it; its owner stays what an earlier step of the build made of
 * it, as BuildKit has it.
 */
export function makeUpper(upper: string, lowers: readonly string[]): void {
  const [lower] = lowers;
  const { uid, gid } = lower === undefined ? { uid: 0, gid: 0 } : statSync(lower);
  mkdirSync(upper);
  chownSync(upper, uid, gid);
  chmodSync(upper, 0o755);
}

const pipeMount = ({ name, content }: RunSpec["pipes"][number]): SandboxMount => ({
  kind: "file",
  target: `/dev/pipes/${name}`,
  contentBase64: Buffer.from(content).toString("base64"),
  mode: 0o755,
  uid: 0,
  gid: 0,
});
