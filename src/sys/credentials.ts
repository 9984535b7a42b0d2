import { doSyscall, trySyscall } from "./syscall.ts";
import { errnoNumbers, systemError } from "./system-error.ts";

/** Numbers of the capabilities used here (capabilities(7)). */
export const capabilities = {
  CHOWN: 0,
  DAC_OVERRIDE: 1,
  FOWNER: 3,
  FSETID: 4,
  KILL: 5,
  SETGID: 6,
  SETUID: 7,
  SETPCAP: 8,
  NET_BIND_SERVICE: 10,
  NET_RAW: 13,
  SYS_CHROOT: 18,
  SYS_ADMIN: 21,
  MKNOD: 27,
  AUDIT_WRITE: 29,
  SETFCAP: 31,
} as const;
export type Capability = keyof typeof capabilities;

const { EINVAL = -1 } = errnoNumbers;
const PR_CAPBSET_DROP = 24;
const PR_CAP_AMBIENT = 47;
const PR_CAP_AMBIENT_CLEAR_ALL = 4;

/** Takes every capability but `kept` out of the thread's bounding set, so that no program it executes gets one. */
export function limitBoundingSet(kept: readonly Capability[]): void {
  const keptNumbers = new Set<number>(kept.map((name) => capabilities[name]));
  for (let number = 0; number < 64; number += 1) {
    if (keptNumbers.has(number)) continue;
    const result = trySyscall("prctl", PR_CAPBSET_DROP, number, 0, 0, 0);
    // the first number the kernel does not know is past its last capability
    if (result === -EINVAL) return;
    if (result < 0) throw systemError("prctl", null, -result);
  }
}

/** Empties the thread's ambient set: capabilities that programs without any would inherit. */
export function clearAmbientCapabilities(): void {
  doSyscall("prctl", null, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
}

/** Sets the thread's effective and permitted capabilities to `kept`, its inheritable ones to none. */
export function setCapabilities(kept: readonly Capability[]): void {
  const bits = kept.reduce((all, name) => all | (1 << capabilities[name]), 0) >>> 0;
  const header = Buffer.alloc(8);
  header.writeUInt32LE(0x20080522, 0); // _LINUX_CAPABILITY_VERSION_3
  const data = Buffer.alloc(24); // two of {effective, permitted, inheritable}: capabilities 0-31, then 32-63
  data.writeUInt32LE(bits, 0);
  data.writeUInt32LE(bits, 4);
  doSyscall("capset", null, header, data);
}

/** Sets the thread's user, group and supplementary groups; not those of other threads, as the C library would. */
export function setIdentity(uid: number, gid: number, groups: readonly number[]): void {
  const list = Buffer.alloc(4 * Math.max(groups.length, 1));
  groups.forEach((group, index) => {
    list.writeUInt32LE(group, 4 * index);
  });
  doSyscall("setgroups", null, groups.length, list);
  doSyscall("setresgid", null, gid, gid, gid);
  doSyscall("setresuid", null, uid, uid, uid);
}
