import { addressOf, cString, lastErrno, libcFunction } from "./native.ts";
import { doSyscall } from "./syscall.ts";
import { systemError } from "./system-error.ts";

const cExecve = libcFunction("int execve(const void *path, const void *arguments, const void *environment)");
const cExit = libcFunction("void _exit(int status)");
const cSignal = libcFunction("void *signal(int number, void *handler)");
const cSigmask = libcFunction("int pthread_sigmask(int how, const void *set, void *old)");
const cSetrlimit = libcFunction("int setrlimit(int resource, const void *limit)");
const cGetrlimit = libcFunction("int getrlimit(int resource, void *limit)");
const cPipe = libcFunction("int pipe2(void *fds, int flags)");
const cFcntl = libcFunction("int fcntl(int fd, int command, long argument)");
const cDup2 = libcFunction("int dup2(int from, int to)");

const O_CLOEXEC = 0x80000;

/** A null-terminated list of C strings as the kernel takes it, in one piece: the pointers, then what they point to. */
function stringList(strings: readonly Uint8Array[]): Buffer {
  const pointersLength = 8 * (strings.length + 1);
  const list = Buffer.concat([Buffer.alloc(pointersLength), ...strings.map(cString)]);
  let at = addressOf(list) + BigInt(pointersLength);
  strings.forEach((text, index) => {
    list.writeBigUInt64LE(at, 8 * index);
    at += BigInt(text.length + 1);
  });
  return list;
}

/**
 * Replaces this process by a program (execve(2)) and does not return; throws when the kernel refuses. Other threads of
 * the process end with it.
 */
export function executeProgram(
  path: Uint8Array,
  args: readonly Uint8Array[],
  environment: readonly Uint8Array[],
): never {
  cExecve(cString(path), stringList(args), stringList(environment));
  throw systemError("execve", path, lastErrno());
}

/** Ends the process at once: nothing is flushed, no handler runs. */
export function exitImmediately(status: number): never {
  cExit(status);
  throw systemError("_exit", null, lastErrno());
}

/** Gives every signal its default action and unblocks it, as a program that starts may expect. */
export function resetSignals(): void {
  for (let number = 1; number <= 64; number += 1) cSignal(number, null);
  const SIG_SETMASK = 2;
  cSigmask(SIG_SETMASK, Buffer.alloc(128), null);
}

/** Has this process killed when the thread that made it ends; until it changes its user or becomes a setuid program. */
export function dieWithParent(): void {
  const PR_SET_PDEATHSIG = 1;
  const SIGKILL = 9;
  doSyscall("prctl", null, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
}

/** Resource limits by their names in ulimit options (setrlimit(2)). */
export const resourceLimits = {
  cpu: 0,
  fsize: 1,
  data: 2,
  stack: 3,
  core: 4,
  rss: 5,
  nproc: 6,
  nofile: 7,
  memlock: 8,
  as: 9,
  locks: 10,
  sigpending: 11,
  msgqueue: 12,
  nice: 13,
  rtprio: 14,
  rttime: 15,
} as const;
export type ResourceLimit = keyof typeof resourceLimits;

/** Sets a limit of this process; -1 is no limit. */
export function setResourceLimit(name: ResourceLimit, soft: number, hard: number): void {
  const limit = Buffer.alloc(16);
  limit.writeBigUInt64LE(BigInt.asUintN(64, BigInt(soft)), 0);
  limit.writeBigUInt64LE(BigInt.asUintN(64, BigInt(hard)), 8);
  if (cSetrlimit(resourceLimits[name], limit) < 0) throw systemError(`setrlimit ${name}`, null, lastErrno());
}

/** The hard limit of this process; -1 is no limit. */
export function hardLimit(name: ResourceLimit): number {
  const limit = Buffer.alloc(16);
  if (cGetrlimit(resourceLimits[name], limit) < 0) throw systemError(`getrlimit ${name}`, null, lastErrno());
  return Number(limit.readBigInt64LE(8));
}

/** A pipe whose ends no program inherits; node makes sockets instead, which cannot be opened through /dev/stdout. */
export function makePipe(): { readonly readEnd: number; readonly writeEnd: number } {
  const fds = Buffer.alloc(8);
  if (cPipe(fds, O_CLOEXEC) < 0) throw systemError("pipe2", null, lastErrno());
  return { readEnd: fds.readInt32LE(0), writeEnd: fds.readInt32LE(4) };
}

/** Makes descriptor `to` mean what `from` means; programs inherit it. */
export function duplicateDescriptor(from: number, to: number): void {
  if (cDup2(from, to) < 0) throw systemError("dup2", null, lastErrno());
}

/** Lets programs inherit a descriptor; node takes that from those it was started with. */
export function inheritDescriptor(fd: number): void {
  const F_SETFD = 2;
  if (cFcntl(fd, F_SETFD, 0) < 0) throw systemError("fcntl", null, lastErrno());
}

/** Closes all descriptors from `first` on; with `atExecute`, only when a program is executed. */
export function closeDescriptorsFrom(first: number, when: "now" | "atExecute"): void {
  const CLOSE_RANGE_CLOEXEC = 4;
  doSyscall("close_range", null, first, 0xffffffff, when === "now" ? 0 : CLOSE_RANGE_CLOEXEC);
}
