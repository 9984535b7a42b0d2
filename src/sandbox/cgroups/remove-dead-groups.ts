import { join } from "node:path";
import { hasErrno } from "../../sys/system-error.ts";
import { tryRemoveGroup } from "./build-cgroup.ts";
import type { CgroupFiles } from "./cgroup-files.ts";
import { type GroupOwner, ownerOfGroup } from "./group-owner.ts";

/** Removes the groups in `parent` of builds that did not come to do it, with what still runs in them. */
export function removeDeadGroups(parent: string, isGone: (owner: GroupOwner) => boolean, files: CgroupFiles): void {
  for (const name of files.groupsIn(parent)) {
    const owner = ownerOfGroup(name);
    if (owner === null || !isGone(owner)) continue;
    killGroup(join(parent, name), files);
    // what is still ending is removed by the build after this one
    tryRemoveGroup(join(parent, name), files);
  }
}

function killGroup(directory: string, files: CgroupFiles): void {
  try {
    files.write(join(directory, "cgroup.kill"), "1");
    return;
  } catch (error) {
    // version 1, or a kernel older than 5.14
    if (!hasErrno(error, "ENOENT")) throw error;
  }
  for (const name of files.groupsIn(directory)) killGroup(join(directory, name), files);
  const pids = (files.read(join(directory, "cgroup.procs")) ?? "").split("\n").map(Number);
  // 0 stands for a process that cannot be seen from here
  for (const pid of pids) if (pid > 0) files.kill(pid);
}
