import { addressOf } from "./native.ts";
import { doSyscall, trySyscall } from "./syscall.ts";
import { errnoName } from "./system-error.ts";

const SECCOMP_SET_MODE_FILTER = 1;

/**
 * Installs a BPF program (8 bytes an instruction) on the calling thread and all it starts; needs CAP_SYS_ADMIN, because
 * no_new_privs is left unset: setuid programs must work in a step.
 */
export function installSeccompFilter(program: Buffer): void {
  const description = Buffer.alloc(16); // struct sock_fprog: a length in instructions, padding, a pointer
  description.writeUInt16LE(program.length / 8, 0);
  description.writeBigUInt64LE(addressOf(program), 8);
  doSyscall("seccomp", null, SECCOMP_SET_MODE_FILTER, 0, description);
}

/** Whether this kernel can filter system calls. */
export function hasSeccomp(): boolean {
  // with a null program a kernel that has the call reads it and fails with EFAULT
  return errnoName(-trySyscall("seccomp", SECCOMP_SET_MODE_FILTER, 0, null)) === "EFAULT";
}
