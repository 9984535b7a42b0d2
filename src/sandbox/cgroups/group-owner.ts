import { readFileSync, readlinkSync } from "node:fs";
import { hasErrno } from "../../sys/system-error.ts";

/** The process a control group was made by. */
export interface GroupOwner {
  /** The PID namespace that the number is of. */
  readonly pidNamespace: string;
  readonly pid: number;
  /** In clock ticks since the machine started: numbers of processes are given again. */
  readonly startTime: string;
}

/** The name of a group by its owner; `number` tells the groups of one process apart. */
export const nameGroup = ({ pidNamespace, pid, startTime }: GroupOwner, number: string): string =>
  `tsbuild-${pidNamespace}-${pid}-${startTime}-${number}`;

/** The owner that the name of a group tells; null for groups of others. */
export function ownerOfGroup(name: string): GroupOwner | null {
  const match = /^tsbuild-(\d+)-(\d+)-(\d+)-[0-9a-f]+$/.exec(name);
  if (match === null) return null;
  const [, pidNamespace = "", pid = "", startTime = ""] = match;
  return { pidNamespace, pid: Number(pid), startTime };
}

/** When a process started; null when it is not there any more (proc_pid_stat(5)). */
function startTimeOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // the name, in parentheses, can contain anything
    const [state = "", ...rest] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return state === "Z" || state === "X" ? null : (rest[18] ?? null);
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ESRCH")) return null;
    throw error;
  }
}

const ownNamespace = (): string => /\d+/.exec(readlinkSync("/proc/self/ns/pid"))?.[0] ?? "0";

/** This process. */
export const thisOwner = (): GroupOwner => ({
  pidNamespace: ownNamespace(),
  pid: process.pid,
  startTime: startTimeOf(process.pid) ?? "0",
});

/** Whether the owner is known to be gone; those of other PID namespaces cannot be seen. */
export const isOwnerGone = ({ pidNamespace, pid, startTime }: GroupOwner): boolean =>
  pidNamespace === ownNamespace() && startTimeOf(pid) !== startTime;
