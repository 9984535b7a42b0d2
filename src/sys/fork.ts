import { readFileSync } from "node:fs";
import { constants } from "node:os";
import { bindLibc, lastErrno, libcFunction } from "./native.ts";
import { doSyscall } from "./syscall.ts";
import { systemError } from "./system-error.ts";

const cWaitpid = libcFunction("int waitpid(int pid, void *status, int options)");

const MADV_DOFORK = 11;
const firstPage = 4096n;
/** Past everything a process can map on the machines known here. */
const addressEnd = 1n << 48n;

/** The mappings that madvise(2) refuses, as one range from the first to the last: they are the kernel's own. */
function unadvisable(): readonly [bigint, bigint] {
  const ranges = readFileSync("/proc/self/smaps", "latin1")
    .split(/\n(?=[0-9a-f]+-[0-9a-f]+ )/)
    .filter((mapping) => /\nVmFlags:.* (io|pf|de|mm)\b/.test(mapping))
    .map((mapping) => mapping.slice(0, mapping.indexOf(" ")).split("-"))
    .map(([start, end]) => [BigInt(`0x${start}`), BigInt(`0x${end}`)] as const)
    .filter(([start]) => start < addressEnd);
  const first = ranges[0]?.[0] ?? addressEnd;
  return [first, ranges.at(-1)?.[1] ?? addressEnd];
}

/**
 * A fork(2) for a node process, which returns 0 in the copy. V8 keeps its memory out of copies (MADV_DONTFORK), so
 * that has to be taken back right before: what V8 maps between the two calls would be missing in the copy. Therefore
 * nothing there may allocate, and the functions of the C library are called without a wrapper. The copy has one thread:
 * node must have been started with --single-threaded, and the copy must stay away from everything asynchronous.
 */
export function openFork(): () => number {
  const madvise = bindLibc("int madvise(uint64_t start, uint64_t length, int advice)");
  const fork = bindLibc("int fork()");
  const [gap, gapEnd] = unadvisable();
  const below = gap - firstPage;
  const above = addressEnd - gapEnd;
  const copy = (): number => {
    madvise(gapEnd, above, MADV_DOFORK);
    madvise(firstPage, below, MADV_DOFORK);
    return fork() as number;
  };
  return () => {
    const pid = copy();
    if (pid < 0) throw systemError("fork", null, lastErrno());
    return pid;
  };
}

/** A descriptor that becomes readable when the child ends (pidfd_open(2)). */
export function openChild(pid: number): number {
  return doSyscall("pidfd_open", null, pid, 0);
}

/** How a child ended. */
export interface ChildEnd {
  readonly exitCode: number | null;
  readonly signal: string | null;
}

const signalNames = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]));

/** Waits for the end of a child and lets go of its process number. */
export function reapChild(pid: number): ChildEnd {
  const status = Buffer.alloc(4);
  if (cWaitpid(pid, status, 0) < 0) throw systemError("waitpid", null, lastErrno());
  const word = status.readInt32LE(0);
  const signal = word & 0x7f;
  if (signal === 0) return { exitCode: (word >> 8) & 0xff, signal: null };
  return { exitCode: null, signal: signalNames.get(signal) ?? `signal ${signal}` };
}
