import { closeSync, writeSync } from "node:fs";
import { Socket } from "node:net";
import { BuildError, fromWire } from "../../base/errors.ts";
import { makeMemoryFile } from "../../sys/memory-file.ts";
import { makePipe } from "../../sys/process.ts";
import type { ExitStatus, ProcessIo } from "../runtime.ts";
import type { SandboxSpec } from "../sandbox-spec.ts";
import type { SandboxZygote } from "./sandbox-zygote.ts";
import { type MountStub, parseLines, type StepReport } from "./zygote-messages.ts";

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

/** A file with the spec: of any size, and its secrets are on no disk. */
function writeSpec(spec: SandboxSpec): number {
  const fd = makeMemoryFile("step");
  const bytes = Buffer.from(JSON.stringify(spec));
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
  const reported: Uint8Array[] = [];
  const stdout = openStepPipe((chunk) => io.output("stdout", chunk));
  const stderr = openStepPipe((chunk) => io.output("stderr", chunk));
  const report = openStepPipe((chunk) => reported.push(chunk));
  const pipes = [stdout, stderr, report];
  const specFile = writeSpec(spec);
  const child = zygote.start({
    spec: specFile,
    stdout: stdout.writeEnd,
    stderr: stderr.writeEnd,
    report: report.writeEnd,
  });
  for (const fd of [specFile, ...pipes.map(({ writeEnd }) => writeEnd)]) closeSync(fd);
  const kill = (): void => child.kill();
  signal.addEventListener("abort", kill, { once: true });
  if (signal.aborted) kill();
  try {
    // without an end that somebody saw, the end of its output tells that the step is gone
    const status = await child.end.finally(() => drained(pipes));
    if (signal.aborted) throw new BuildError("BUILD_CANCELLED", "the step was cancelled");
    const reports = parseLines<StepReport>(Buffer.concat(reported).toString());
    for (const report of reports) if (report.kind === "failed") throw fromWire(report.error);
    const prepared = reports.find((report) => report.kind === "prepared");
    if (prepared === undefined) {
      throw new BuildError("RUNTIME_SETUP_FAILED", "the sandbox ended before the step began", {
        details: { exitCode: status.exitCode, signal: status.signal },
      });
    }
    return { status, stubs: prepared.stubs };
  } finally {
    signal.removeEventListener("abort", kill);
    for (const { socket } of pipes) socket.destroy();
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
