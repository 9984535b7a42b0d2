import { type ChildProcess, spawn } from "node:child_process";
import { closeSync } from "node:fs";
import { Socket } from "node:net";
import { constants } from "node:os";
import { BuildError, fromWire } from "../../base/errors.ts";
import { makeSocketPair, sendWithDescriptors } from "../../sys/descriptor-passing.ts";
import type { ExitStatus } from "../runtime.ts";
import type { SandboxGuard } from "./sandbox-guard.ts";
import {
  connectionDescriptor,
  encodeRequest,
  parseLines,
  type StepDescriptors,
  type ZygoteMessage,
  type ZygoteRequest,
} from "./zygote-messages.ts";

/** A step that the zygote was asked for. */
interface Started {
  pid: number | null;
  readonly tellPid: (pid: number) => void;
  readonly resolve: (status: ExitStatus) => void;
  readonly reject: (error: BuildError) => void;
}

/** A process in a sandbox, as its zygote sees it. */
export interface ZygoteChild {
  /** Its process number, as this process sees it; may never settle when there is no such process. */
  readonly pid: Promise<number>;
  /** Rejects with RUNTIME_SETUP_FAILED when there is no such process, or nobody who could tell how it ended. */
  readonly end: Promise<ExitStatus>;
  /** Sends it a signal; SIGKILL ends everything in the sandbox. */
  kill(signal: NodeJS.Signals): void;
}

// `node` starts threads that the garbage collector of a copy would wait for.
const nodeFlags = ["--single-threaded", "--v8-pool-size=0"];

/**
 * The process that steps are copies of (`sandbox-init.ts`): started ahead of time, it serves all steps of a build. It
 * ends with this process, or when that closes the connection.
 */
export class SandboxZygote {
  readonly #process: ChildProcess;
  readonly #guard: SandboxGuard;
  readonly #connection: Socket;
  readonly #socket: number;
  readonly #steps = new Map<number, Started>();
  #lastStep = 0;
  #lost: BuildError | null = null;

  /** `executable` is a path to node's program, `init` the bundled program for it; `guard` is told what runs. */
  constructor(executable: string, init: string, guard: SandboxGuard) {
    this.#guard = guard;
    const [own, other] = makeSocketPair();
    this.#socket = own;
    const stdio: ("ignore" | number)[] = ["ignore", "ignore", "ignore"];
    stdio[connectionDescriptor] = other;
    this.#process = spawn(executable, [...nodeFlags, init], {
      stdio,
      argv0: "tsbuild-sandbox",
      cwd: "/",
      env: {},
      detached: true,
    });
    closeSync(other);
    this.#connection = new Socket({ fd: own });
    let rest = "";
    this.#connection.setEncoding("utf8").on("data", (text: string) => {
      const end = text.lastIndexOf("\n") + 1;
      const lines = rest + text.slice(0, end);
      rest = end === 0 ? rest + text : text.slice(end);
      if (end > 0) for (const message of parseLines<ZygoteMessage>(lines)) this.#take(message);
    });
    this.#connection.on("error", () => this.#connection.destroy());
    this.#process.once("error", (cause) => {
      this.#lose(new BuildError("RUNTIME_SETUP_FAILED", "the sandbox cannot be started", { cause }));
    });
    this.#process.once("exit", (exitCode, signal) => {
      guard.ended(pid);
      // what it said last may still be on its way
      const end = (): void => this.#lose(endedEarly(exitCode, signal));
      if (this.#connection.closed) end();
      else this.#connection.once("close", end);
    });
    const pid = this.#process.pid ?? 0;
    if (pid !== 0) guard.started(pid);
    // without steps it must not keep the build from ending
    this.#process.unref();
    this.#connection.unref();
  }

  /** Whether it can be asked for steps. */
  get isAlive(): boolean {
    return this.#lost === null && !this.#connection.destroyed && this.#process.pid !== undefined;
  }

  /** Starts a step; the descriptors stay the caller's. */
  start({ order, stdout, stderr, report, input }: StepDescriptors): ZygoteChild {
    const step = ++this.#lastStep;
    const descriptors = [order, stdout, stderr, report, ...(input === null ? [] : [input])];
    let tellPid: (pid: number) => void = () => {};
    const pid = new Promise<number>((resolve) => {
      tellPid = resolve;
    });
    const end = new Promise<ExitStatus>((resolve, reject) => {
      this.#steps.set(step, { pid: null, tellPid, resolve, reject });
      this.#connection.ref();
      if (this.#lost !== null) this.#lose(this.#lost);
      else this.#send({ kind: "start", step, signal: 0 }, descriptors);
    });
    end.catch(() => {});
    return {
      pid,
      end,
      kill: (signal) => this.#send({ kind: "kill", step, signal: constants.signals[signal] }, []),
    };
  }

  #send(request: ZygoteRequest, descriptors: readonly number[]): void {
    if (!this.#steps.has(request.step) || !this.isAlive) return;
    try {
      sendWithDescriptors(this.#socket, encodeRequest(request), descriptors);
    } catch {
      // it has ended; its end is told as an event
    }
  }

  #take(message: ZygoteMessage): void {
    const started = this.#steps.get(message.step);
    if (started === undefined) return;
    if (message.kind === "started") {
      started.pid = message.pid;
      started.tellPid(message.pid);
      this.#guard.started(message.pid);
      return;
    }
    this.#forget(message.step, started);
    if (message.kind === "ended") started.resolve(message.end);
    else started.reject(fromWire(message.error));
  }

  #forget(step: number, { pid }: Started): void {
    if (pid !== null) this.#guard.ended(pid);
    this.#steps.delete(step);
    if (this.#steps.size === 0) this.#connection.unref();
  }

  /** Nobody can tell any more how steps end: they are ended. */
  #lose(error: BuildError): void {
    this.#lost = error;
    this.#connection.destroy();
    for (const [step, started] of this.#steps) {
      if (started.pid !== null) endProcess(started.pid);
      this.#forget(step, started);
      started.reject(error);
    }
  }
}

function endedEarly(exitCode: number | null, signal: string | null): BuildError {
  const how = signal === null ? `with exit code ${exitCode}` : `by ${signal}`;
  return new BuildError("RUNTIME_SETUP_FAILED", `the process that starts steps ended ${how}`, {
    details: { exitCode, signal },
  });
}

function endProcess(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // it is gone already
  }
}
