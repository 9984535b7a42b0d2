import { closeSync } from "node:fs";
import { toWire } from "../../base/errors.ts";
import { receiveWithDescriptors, sendWithDescriptors } from "../../sys/descriptor-passing.ts";
import { openChild, openFork, reapChild } from "../../sys/fork.ts";
import { openForkIntoPidNamespace } from "../../sys/namespaces.ts";
import { exitImmediately, resetSignals } from "../../sys/process.ts";
import { isReadable, waitReadable } from "../../sys/wait-readable.ts";
import { becomeStep } from "./become-step.ts";
import { rehearseStep } from "./rehearse-step.ts";
import { encodeFilter, seccompFilter } from "./seccomp-filter.ts";
import { setDefaultLimits } from "./step-limits.ts";
import { connectionDescriptor, decodeRequest, requestLength, type ZygoteMessage } from "./zygote-messages.ts";

// The zygote: a process that has everything loaded which a step needs until it is executed. For each step it copies
// itself; the copy becomes the step. It never enters node's event loop, because a copy would have it too.

interface RunningStep {
  readonly step: number;
  readonly pid: number;
}

const tell = (message: ZygoteMessage): void => {
  // whoever asked may be gone: that is told by the connection, not by a signal
  sendWithDescriptors(connectionDescriptor, Buffer.from(`${JSON.stringify(message)}\n`), []);
};

/** As often as V8 needs to see code before it makes more than bytecode of it. */
const rehearsals = 3;

// what every copy is to have
resetSignals();
setDefaultLimits();
process.umask(0);
const filter = encodeFilter(seccompFilter(process.arch));
const fork = openForkIntoPidNamespace(openFork());
/** By the descriptor that tells their end. */
const running = new Map<number, RunningStep>();

function start(step: number, descriptors: readonly number[]): void {
  const [order = -1, stdout = -1, stderr = -1, report = -1, input = null] = descriptors;
  try {
    const pid = fork();
    if (pid === 0) becomeStep({ order, stdout, stderr, report, input }, filter);
    running.set(openChild(pid), { step, pid });
    tell({ kind: "started", step, pid });
  } catch (error) {
    tell({ kind: "failed", step, error: toWire(error) });
  } finally {
    for (const fd of descriptors) closeSync(fd);
  }
}

function reap(childFd: number, { step, pid }: RunningStep): void {
  const end = reapChild(pid);
  running.delete(childFd);
  closeSync(childFd);
  tell({ kind: "ended", step, end });
}

/** Nobody is left who wants a step. */
function endAll(): never {
  for (const { pid } of running.values()) process.kill(pid, "SIGKILL");
  exitImmediately(0);
}

function answer(): void {
  const received = receiveWithDescriptors(connectionDescriptor, requestLength);
  if (received === null) endAll();
  const { kind, step, signal } = decodeRequest(received.bytes);
  if (kind === "start") start(step, received.descriptors);
  else for (const child of running.values()) if (child.step === step) process.kill(child.pid, signal);
}

for (let rehearsed = 0; ; ) {
  const watched = [...running.keys(), connectionDescriptor];
  if (rehearsed < rehearsals && !isReadable(watched)) {
    rehearseStep();
    rehearsed += 1;
    continue;
  }
  for (const fd of waitReadable(watched)) {
    const child = running.get(fd);
    if (child !== undefined) reap(fd, child);
    else answer();
  }
}
