import { BuildError } from "../../base/errors.ts";
import { cloneMount, mountAttributes, restrictMount } from "../../sys/mount.ts";
import type { ExitStatus, ProcessIo, Runtime, Unavailable } from "../runtime.ts";
import type { SandboxSpec } from "../sandbox-spec.ts";
import { probeMachine } from "./probe-machine.ts";
import { findInitProgram } from "./program-files.ts";
import { removeStubs } from "./remove-stubs.ts";
import { SandboxGuard } from "./sandbox-guard.ts";
import { SandboxProcess } from "./sandbox-process.ts";
import { encodeFilter, seccompFilter } from "./seccomp-filter.ts";

/**
 * The built-in runtime: Linux namespaces, overlayfs and seccomp, by system calls of a node process that becomes the step
 * (docs/sandbox.md). Needs root and Linux 5.12. One sandbox is started ahead, so that a step need not wait for node.
 */
export class NamespaceRuntime implements Runtime {
  readonly #guard = new SandboxGuard();
  #executable: string | undefined;
  #filter: string | undefined;
  #ahead: SandboxProcess | undefined;

  async probe(): Promise<readonly Unavailable[]> {
    return probeMachine();
  }

  /** Starts a sandbox for a step that will come. It ends by itself when it is never used. */
  prepare(): void {
    try {
      this.#ahead ??= this.#start();
    } catch {
      // the step that needs it will say what is wrong
    }
  }

  async run(spec: SandboxSpec, io: ProcessIo, signal: AbortSignal): Promise<ExitStatus> {
    if (signal.aborted) throw new BuildError("BUILD_CANCELLED", "the step was cancelled");
    const sandbox = this.#take();
    // Made here, once, and not by every sandbox again.
    this.#filter ??= encodeFilter(seccompFilter(process.arch)).toString("base64");
    const outcome = sandbox.run({ spec, filter: this.#filter }, io, signal);
    this.prepare();
    const { status, stubs } = await outcome;
    removeStubs(spec.upper, stubs);
    return status;
  }

  #take(): SandboxProcess {
    const ahead = this.#ahead;
    this.#ahead = undefined;
    return ahead?.isAlive ? ahead : this.#start();
  }

  #start(): SandboxProcess {
    this.#executable ??= readOnlyExecutable();
    return new SandboxProcess(this.#executable, findInitProgram(), this.#guard);
  }
}

/**
 * A path to this very node program on a mount that cannot be written to: a step could otherwise overwrite the host's
 * node through /proc/self/exe, when it gets it executed as the interpreter of a script (CVE-2019-5736).
 */
function readOnlyExecutable(): string {
  const mountFd = cloneMount(null, "/proc/self/exe");
  restrictMount(mountFd, mountAttributes.readOnly);
  return `/proc/self/fd/${mountFd}`;
}
