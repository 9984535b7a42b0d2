import { closeSync, openSync } from "node:fs";
import { cString, lastErrno, libcFunction } from "./native.ts";
import { trySyscall } from "./syscall.ts";
import { systemError } from "./system-error.ts";

const cUnshare = libcFunction("int unshare(int flags)");
const cSetns = libcFunction("int setns(int fd, int type)");
const cSethostname = libcFunction("int sethostname(const void *name, size_t length)");

/** CLONE_NEW* flags. */
export const namespaces = {
  mount: 0x00020000,
  cgroup: 0x02000000,
  uts: 0x04000000,
  ipc: 0x08000000,
  pid: 0x20000000,
  network: 0x40000000,
} as const;

/** Gives the calling thread new namespaces; with `pid`, its next child becomes the first process of a new one. */
export function unshare(flags: number): void {
  if (cUnshare(flags) < 0) throw systemError("unshare", null, lastErrno());
}

/**
 * Makes a `fork` whose child is the first process of a new PID namespace. The calling thread itself stays where it is;
 * `fork` must make exactly one process, and no thread.
 */
export function openForkIntoPidNamespace(fork: () => number): () => number {
  const own = openSync("/proc/thread-self/ns/pid_for_children", "r");
  const goBack = (): void => {
    if (cSetns(own, namespaces.pid) < 0) throw systemError("setns", null, lastErrno());
  };
  return () => {
    unshare(namespaces.pid);
    let pid: number;
    try {
      pid = fork();
    } catch (error) {
      goBack();
      throw error;
    }
    if (pid !== 0) goBack();
    return pid;
  };
}

const kinds = ["mnt", "uts", "ipc", "cgroup"] as const;

/** Runs `work`, which may enter new namespaces and change the root, and then brings the calling thread back to its own. */
export function inOtherNamespaces(work: () => void): void {
  const own = kinds.map((kind) => openSync(`/proc/thread-self/ns/${kind}`, "r"));
  const goBack = (fd: number): void => {
    if (cSetns(fd, 0) < 0) throw systemError("setns", null, lastErrno());
    closeSync(fd);
  };
  try {
    unshare(namespaces.mount);
    work();
  } finally {
    own.forEach(goBack);
  }
}

/** Names the machine, in the thread's UTS namespace. */
export function setHostname(name: string): void {
  const bytes = cString(name);
  if (cSethostname(bytes, bytes.length - 1) < 0) throw systemError("sethostname", name, lastErrno());
}

/** Leaves the session keyring of whoever started this process, where kernel keys of a login are found. */
export function leaveSessionKeyring(): void {
  const KEYCTL_JOIN_SESSION_KEYRING = 1;
  // kernels without keyrings have none to leave
  trySyscall("keyctl", KEYCTL_JOIN_SESSION_KEYRING, null);
}
