import { closeSync, writeSync } from "node:fs";
import { Socket } from "node:net";
import { BuildError, fromWire } from "../../base/errors.ts";
import { makeMemoryFile } from "../../sys/memory-file.ts";
import { makePipe } from "../../sys/process.ts";
import type { ExitStatus, ProcessIo } from "../runtime.ts";
import type { SandboxSpec } from "../sandbox-spec.ts";
import type { SandboxZygote } from "./sandbox-zygote.ts";
import { openStepInput } from "./step-input.ts";
import { type MountStub, parseLines, type StepOrder, type StepReport } from "./zygote-messages.ts";

/** What became of a sandbox, once nothing of it is left. */
export interface SandboxOutcome {
  readonly status: ExitStatus;
  readonly stubs: readonly MountStub[];
}

/** A pipe whose write end the step gets. */
interface StepPipe {
  readonly writeEnd: number;
  readonly socket: Socket;
  readonly end: Promise<void>;
}

function openStepPipe(take: (chunk: Uint8Array) => void): StepPipe {
  const { readEnd, writeEnd } = makePipe();
  const socket = new Socket({ fd: readEnd, readable: true, writable: false });
  socket.on("data", take);
  socket.on("error", () => socket.destroy());
  return { writeEnd, socket, end: new Promise((resolve) => socket.once("close", resolve)) };
}

/** What a step reports, as it comes. */
class StepReports {
  readonly #whenPrepared: (report: Extract<StepReport, { kind: "prepared" }>) => void;
  #rest = "";
  #prepared: Extract<StepReport, { kind: "prepared" }> | null = null;
  #failed: Extract<StepReport, { kind: "failed" }> | null = null;

  constructor(whenPrepared: (report: Extract<StepReport, { kind: "prepared" }>) => void) {
    this.#whenPrepared = whenPrepared;
  }

  get prepared(): Extract<StepReport, { kind: "prepared" }> | null {
    return this.#prepared;
  }

  get failed(): Extract<StepReport, { kind: "failed" }> | null {
    return this.#failed;
  }

  add(chunk: Uint8Array): void {
    const text = this.#rest + Buffer.from(chunk).toString("latin1");
    const end = text.lastIndexOf("\n") + 1;
    this.#rest = text.slice(end);
    for (const report of parseLines<StepReport>(Buffer.from(text.slice(0, end), "latin1").toString())) {
      if (report.kind === "failed") this.#failed = report;
      else {
        this.#prepared = report;
        this.#whenPrepared(report);
      }
    }
  }
}

/** A file with the order: of any size, and its secrets are on no disk. */
function writeOrder(order: StepOrder): number {
  const fd = makeMemoryFile("step");
  const bytes = Buffer.from(JSON.stringify(order));
  // by position: the offset, which is shared with the step, stays at the start
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at, at);
  return fd;
}

/**
 * Runs the program of `spec` to its end, in a sandbox whose first process it is: when that ends, the kernel ends
 * everything else in its PID namespace before its end is reported. Rejects with what the sandbox reported when it came
 * to no program.
 */
export async function runInSandbox(
  zygote: SandboxZygote,
  spec: SandboxSpec,
  io: ProcessIo,
  signal: AbortSignal,
): Promise<SandboxOutcome> {
  const input = openStepInput(io);
  const reports = new StepReports(({ stubs }) => {
    input.begin();
    void child.pid.then((pid) => {
      io.started?.({ pid, mountPoints: stubs, kill: (name) => child.kill(name), resize: (size) => input.resize(size) });
    });
  });
  const stdout = openStepPipe((chunk) => io.output("stdout", chunk));
  const stderr = openStepPipe((chunk) => io.output("stderr", chunk));
  const report = openStepPipe((chunk) => reports.add(chunk));
  const pipes = [stdout, stderr, report];
  const order = writeOrder({ spec, terminal: io.terminal ?? null });
  const child = zygote.start({
    order,
    stdout: stdout.writeEnd,
    stderr: stderr.writeEnd,
    report: report.writeEnd,
    input: input.descriptor,
  });
  for (const fd of [order, input.descriptor, ...pipes.map(({ writeEnd }) => writeEnd)]) if (fd !== null) closeSync(fd);
  const kill = (): void => child.kill("SIGKILL");
  signal.addEventListener("abort", kill, { once: true });
  if (signal.aborted) kill();
  try {
    // without an end that somebody saw, the end of its output tells that the step is gone
    const status = await child.end.finally(async () => {
      await drained([report]);
      await drained([stdout, stderr]);
      input.finish();
    });
    if (signal.aborted) throw new BuildError("BUILD_CANCELLED", "the step was cancelled");
    const { prepared, failed } = reports;
    if (failed !== null) throw fromWire(failed.error);
    if (prepared === null) {
      throw new BuildError("RUNTIME_SETUP_FAILED", "the sandbox ended before the step began", {
        details: { exitCode: status.exitCode, signal: status.signal },
      });
    }
    return { status, stubs: prepared.stubs };
  } finally {
    signal.removeEventListener("abort", kill);
    for (const { socket } of pipes) socket.destroy();
    input.close();
  }
}

/** Longer than it takes to read what a pipe holds. */
const drainLimitMs = 500;

/** All writers end with the namespace, unless the step handed its output to a process outside of it. */
async function drained(pipes: readonly StepPipe[]): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const soon = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, drainLimitMs);
  });
  await Promise.race([Promise.all(pipes.map(({ end }) => end)), soon]);
  clearTimeout(timer);
}
