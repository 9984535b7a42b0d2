import { BuildError } from "../base/errors.ts";
import { lastErrno, libcFunction, type NativeArgument } from "./native.ts";
import { systemError } from "./system-error.ts";

/** Numbers of the system calls used here that C libraries lack, or wrap so that they change all threads. */
const x64 = {
  setresuid: 117,
  setresgid: 119,
  setgroups: 116,
  capset: 126,
  prctl: 157,
  pivot_root: 155,
  keyctl: 250,
  seccomp: 317,
  open_tree: 428,
  move_mount: 429,
  fsopen: 430,
  fsconfig: 431,
  fsmount: 432,
  pidfd_open: 434,
  close_range: 436,
  openat2: 437,
  mount_setattr: 442,
} as const;
const arm64: Readonly<Record<SyscallName, number>> = {
  setresuid: 147,
  setresgid: 149,
  setgroups: 159,
  capset: 91,
  prctl: 167,
  pivot_root: 41,
  keyctl: 219,
  seccomp: 277,
  open_tree: 428,
  move_mount: 429,
  fsopen: 430,
  fsconfig: 431,
  fsmount: 432,
  pidfd_open: 434,
  close_range: 436,
  openat2: 437,
  mount_setattr: 442,
};
export type SyscallName = keyof typeof x64;

const numbers: Readonly<Partial<Record<string, Readonly<Record<SyscallName, number>>>>> = { x64, arm64 };

const syscall = libcFunction("long syscall(long number, void *a, void *b, void *c, void *d, void *e, void *f)");

const asWord = (argument: NativeArgument): NativeArgument =>
  typeof argument === "number" ? BigInt.asUintN(64, BigInt(argument)) : argument;

/** A raw system call for the calling thread only. Returns its result, or `-errno`. */
export function trySyscall(name: SyscallName, ...args: readonly NativeArgument[]): number {
  const number = numbers[process.arch]?.[name];
  if (process.platform !== "linux" || number === undefined) {
    throw new BuildError(
      "RUNTIME_UNAVAILABLE",
      `no system calls on ${process.platform} ${process.arch}: want linux x64 or arm64`,
    );
  }
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = args;
  const result = syscall(number, asWord(a), asWord(b), asWord(c), asWord(d), asWord(e), asWord(f));
  return result < 0 ? -lastErrno() : result;
}

/** As `trySyscall`, but a failure is thrown; `path` is for its message. */
export function doSyscall(
  name: SyscallName,
  path: Uint8Array | string | null,
  ...args: readonly NativeArgument[]
): number {
  const result = trySyscall(name, ...args);
  if (result < 0) throw systemError(name, path, -result);
  return result;
}
