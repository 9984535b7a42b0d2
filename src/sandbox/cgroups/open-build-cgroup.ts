import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { BuildCgroup } from "./build-cgroup.ts";
import { hostCgroupFiles } from "./cgroup-files.ts";
import { findHierarchies } from "./find-hierarchies.ts";
import { isOwnerGone, nameGroup, thisOwner } from "./group-owner.ts";
import { placeGroups } from "./place-groups.ts";
import { removeDeadGroups } from "./remove-dead-groups.ts";
import { controllersOf, type ResourceLimits } from "./resource-limits.ts";

/** Makes control groups with `limits` on this machine. Throws RUNTIME_UNAVAILABLE when one of them cannot be set. */
export function openBuildCgroup(limits: ResourceLimits): BuildCgroup {
  const hierarchies = findHierarchies(
    readFileSync("/proc/self/mountinfo", "utf8"),
    readFileSync("/proc/self/cgroup", "utf8"),
  );
  const places = placeGroups(controllersOf(limits), hierarchies, hostCgroupFiles);
  for (const { parent } of places) removeDeadGroups(parent, isOwnerGone, hostCgroupFiles);
  const name = nameGroup(thisOwner(), randomBytes(4).toString("hex"));
  return new BuildCgroup(limits, places, name, hostCgroupFiles);
}
