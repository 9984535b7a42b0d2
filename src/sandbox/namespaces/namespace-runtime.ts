import { closeSync } from "node:fs";
import { BuildError } from "../../base/errors.ts";
import { cloneMount, mountAttributes, restrictMount } from "../../sys/mount.ts";
import type { ExitStatus, ProcessIo, Runtime, Unavailable } from "../runtime.ts";
import type { SandboxSpec } from "../sandbox-spec.ts";
import { probeMachine } from "./probe-machine.ts";
import { findInitProgram } from "./program-files.ts";
import { removeStubs } from "./remove-stubs.ts";
import { SandboxGuard } from "./sandbox-guard.ts";
import { runInSandbox } from "./sandbox-process.ts";
import { SandboxZygote } from "./sandbox-zygote.ts";

/**
 * The built-in runtime: Linux namespaces, overlayfs and seccomp, by system calls of a copy of a node process that becomes
 * the step (docs/sandbox.md). Needs root and Linux 5.12. One zygote serves all steps.
 */
export class NamespaceRuntime implements Runtime {
  readonly #guard = new SandboxGuard();
  #zygote: SandboxZygote | undefined;

  async probe(): Promise<readonly Unavailable[]> {
    return probeMachine();
  }

  /** Starts the zygote, for steps that will come. It ends by itself when it is never used. */
  prepare(): void {
    try {
      this.#openZygote();
    } catch {
      // the step that needs it will say what is wrong
    }
  }

  async run(spec: SandboxSpec, io: ProcessIo, signal: AbortSignal): Promise<ExitStatus> {
    if (signal.aborted) throw new BuildError("BUILD_CANCELLED", "the step was cancelled");
    const { status, stubs } = await runInSandbox(this.#openZygote(), spec, io, signal);
    removeStubs(spec.upper, stubs);
    return status;
  }

  #openZygote(): SandboxZygote {
    if (this.#zygote === undefined || !this.#zygote.isAlive) {
      const executable = openReadOnlyExecutable();
      try {
        this.#zygote = new SandboxZygote(`/proc/self/fd/${executable}`, findInitProgram(), this.#guard);
      } finally {
        closeSync(executable);
      }
    }
    return this.#zygote;
  }
}

/**
 * This very node program on a mount that cannot be written to, as a descriptor: a step could otherwise overwrite the
 * host's node through /proc/self/exe, when it gets it executed as the interpreter of a script (CVE-2019-5736).
 */
function openReadOnlyExecutable(): number {
  const mountFd = cloneMount(null, "/proc/self/exe");
  restrictMount(mountFd, mountAttributes.readOnly);
  return mountFd;
}
