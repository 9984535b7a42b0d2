import { type ChildProcess, spawn } from "node:child_process";
import { closeSync } from "node:fs";
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { BuildError, fromWire } from "../../base/errors.ts";
import { inNewPidNamespace } from "../../sys/namespaces.ts";
import { makePipe } from "../../sys/process.ts";
import type { ExitStatus, ProcessIo } from "../runtime.ts";
import { connectionDescriptor, type InitMessage, type InitRequest, type MountStub } from "./init-messages.ts";
import type { SandboxGuard } from "./sandbox-guard.ts";

/** What became of a sandbox, once nothing of it is left. */
export interface SandboxOutcome {
  readonly status: ExitStatus;
  readonly stubs: readonly MountStub[];
}

/**
 * The first process of a PID namespace of its own: started ahead of time, it waits for a request and then becomes the
 * step. When it ends, the kernel ends everything else in the namespace before its end is reported.
 */
export class SandboxProcess {
  readonly #child: ChildProcess;
  readonly #connection: Duplex;
  readonly #streams: readonly { readonly name: "stdout" | "stderr"; readonly socket: Socket }[];
  readonly #exit: Promise<ExitStatus>;

  /** `executable` is a path to node's program, `init` the bundled program for it; `guard` is told when it runs. */
  constructor(executable: string, init: string, guard: SandboxGuard) {
    const stdout = makePipe();
    const stderr = makePipe();
    this.#child = inNewPidNamespace(() =>
      spawn(executable, [init], {
        stdio: ["ignore", stdout.writeEnd, stderr.writeEnd, "pipe"],
        argv0: "tsbuild-sandbox",
        cwd: "/",
        env: {},
        detached: true,
      }),
    );
    this.#exit = new Promise((resolve, reject) => {
      this.#child.once("error", (error) => {
        reject(new BuildError("RUNTIME_SETUP_FAILED", "the sandbox cannot be started", { cause: error }));
      });
      this.#child.once("exit", (exitCode, signal) => resolve({ exitCode, signal }));
    });
    this.#exit.catch(() => {});
    closeSync(stdout.writeEnd);
    closeSync(stderr.writeEnd);
    this.#streams = [
      { name: "stdout", socket: new Socket({ fd: stdout.readEnd, readable: true, writable: false }) },
      { name: "stderr", socket: new Socket({ fd: stderr.readEnd, readable: true, writable: false }) },
    ];
    // without descriptors left, node gives a child that could not be started no streams at all
    this.#connection = (this.#child.stdio?.[connectionDescriptor] as Duplex | undefined) ?? new Socket();
    // a sandbox that is never used must not keep the build from ending; it ends when its connection does
    this.#setReferenced(false);
    const { pid } = this.#child;
    if (pid === undefined) return;
    guard.started(pid);
    this.#child.once("exit", () => guard.ended(pid));
  }

  #setReferenced(isReferenced: boolean): void {
    const sockets = [this.#connection as Socket, ...this.#streams.map(({ socket }) => socket)];
    for (const handle of [this.#child, ...sockets]) isReferenced ? handle.ref() : handle.unref();
  }

  /** Whether the process still waits for a request. */
  get isAlive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null && this.#child.pid !== undefined;
  }

  /** Ends everything in the sandbox. */
  kill(): void {
    this.#child.kill("SIGKILL");
  }

  /** Runs the request's program to its end. Rejects with what the sandbox reported when it came to no program. */
  async run(request: InitRequest, io: ProcessIo, signal: AbortSignal): Promise<SandboxOutcome> {
    this.#setReferenced(true);
    const kill = (): void => this.kill();
    signal.addEventListener("abort", kill, { once: true });
    if (signal.aborted) kill();
    try {
      const outputEnd = this.#streams.map(({ name, socket }) => {
        socket.on("data", (chunk: Uint8Array) => io.output(name, chunk));
        socket.on("error", () => socket.destroy());
        return closed(socket);
      });
      const answers = this.#readAnswers();
      this.#connection.end(JSON.stringify(request));
      const status = await this.#exit;
      // all writers ended with the namespace, unless the step handed its output to a process outside of it
      await Promise.race([Promise.all(outputEnd), soon()]);
      const messages = await answers;
      if (signal.aborted) throw new BuildError("BUILD_CANCELLED", "the step was cancelled");
      for (const message of messages) if (message.kind === "failed") throw fromWire(message.error);
      const prepared = messages.find((message) => message.kind === "prepared");
      if (prepared === undefined) {
        throw new BuildError("RUNTIME_SETUP_FAILED", "the sandbox ended before the step began", {
          details: { exitCode: status.exitCode, signal: status.signal },
        });
      }
      return { status, stubs: prepared.stubs };
    } finally {
      signal.removeEventListener("abort", kill);
      for (const { socket } of this.#streams) socket.destroy();
      this.#connection.destroy();
    }
  }

  async #readAnswers(): Promise<readonly InitMessage[]> {
    const chunks: Buffer[] = [];
    this.#connection.on("data", (chunk: Buffer) => chunks.push(chunk));
    this.#connection.on("error", () => this.#connection.destroy());
    await closed(this.#connection);
    return Buffer.concat(chunks)
      .toString("utf8")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as InitMessage);
  }
}

/** Settles when a stream is done, however it came to that. */
const closed = (stream: Duplex): Promise<void> =>
  new Promise((resolve) => {
    if (stream.closed) resolve();
    else stream.once("close", resolve);
  });

/** Longer than it takes to read what a pipe holds. */
const drainLimitMs = 500;
const soon = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, drainLimitMs).unref());
