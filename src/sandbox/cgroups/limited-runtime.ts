import { constants } from "node:os";
import { BuildError, isBuildError } from "../../base/errors.ts";
import type { ExitStatus, ProcessIo, Runtime, Unavailable } from "../runtime.ts";
import type { SandboxSpec } from "../sandbox-spec.ts";
import type { BuildCgroup, LimitEvents } from "./build-cgroup.ts";
import { openBuildCgroup } from "./open-build-cgroup.ts";
import type { ResourceLimits } from "./resource-limits.ts";

/**
 * A runtime whose processes have limits, all of them together. `run` rejects with RUNTIME_UNAVAILABLE when a limit cannot
 * be set, and with RUN_FAILED when a process fails that reached one; control groups are made by the first run.
 */
export class LimitedRuntime implements Runtime {
  readonly #runtime: Runtime;
  readonly #limits: ResourceLimits;
  readonly #open: (limits: ResourceLimits) => BuildCgroup;
  #group: BuildCgroup | undefined;

  constructor(runtime: Runtime, limits: ResourceLimits, open = openBuildCgroup) {
    this.#runtime = runtime;
    this.#limits = limits;
    this.#open = open;
  }

  probe(): Promise<readonly Unavailable[]> {
    return this.#runtime.probe();
  }

  prepare(): void {
    this.#runtime.prepare?.();
  }

  async run(spec: SandboxSpec, io: ProcessIo, signal: AbortSignal): Promise<ExitStatus> {
    this.#group ??= this.#open(this.#limits);
    const step = this.#group.openStep();
    try {
      const status = await this.#runtime.run({ ...spec, cgroups: step.directories }, io, signal);
      const reached = status.exitCode === 0 ? null : this.#reachedLimit(status, step.events());
      if (reached !== null) throw reached;
      return status;
    } catch (error) {
      const hasBegun = !isBuildError(error, "RUNTIME_SETUP_FAILED");
      const reached = hasBegun ? null : this.#reachedLimit(killed, step.events());
      throw reached ?? error;
    } finally {
      await step.remove();
    }
  }

  /** To be called when nothing runs any more. */
  async close(): Promise<void> {
    await this.#group?.remove();
  }

  #reachedLimit(status: ExitStatus, { oomKills, refusedProcesses }: LimitEvents): BuildError | null {
    const { memoryBytes, maxProcesses } = this.#limits;
    const exitCode = status.exitCode ?? 128 + (constants.signals[status.signal as NodeJS.Signals] ?? 0);
    const details = { exitCode, signal: status.signal };
    if (oomKills > 0) {
      const limit = memoryBytes === null ? "" : ` (limit ${formatMemory(memoryBytes)})`;
      return new BuildError("RUN_FAILED", `killed: out of memory${limit}`, {
        details: { ...details, oom: true },
        hint: "allow more with --memory; what runs at the same time shares it",
      });
    }
    if (refusedProcesses === 0) return null;
    return new BuildError(
      "RUN_FAILED",
      `exit code: ${exitCode}, after processes were refused (limit ${maxProcesses})`,
      {
        details: { ...details, refusedProcesses },
        hint: "allow more with --pids-limit; what runs at the same time shares it",
      },
    );
  }
}

const killed: ExitStatus = { exitCode: null, signal: "SIGKILL" };

const units = ["bytes", "KiB", "MiB", "GiB", "TiB"] as const;

/** The largest unit in which it is a whole number: `64 MiB`. */
function formatMemory(sizeBytes: number): string {
  let [value, unit] = [sizeBytes, 0];
  for (; value >= 1024 && value % 1024 === 0 && unit < units.length - 1; unit += 1) value /= 1024;
  return `${value} ${units[unit]}`;
}
