import { dirname, join } from "node:path";
import { BuildError } from "../../base/errors.ts";
import { hasErrno } from "../../sys/system-error.ts";
import type { CgroupFiles } from "./cgroup-files.ts";
import type { Hierarchy } from "./find-hierarchies.ts";
import type { Controller } from "./resource-limits.ts";

/** Where a control group is to be made, and the controllers it is made for. */
export interface GroupPlace {
  readonly version: 1 | 2;
  readonly parent: string;
  readonly controllers: readonly Controller[];
  /** All that the hierarchy has, asked for or not; of version 1. */
  readonly mounted: readonly string[];
}

const words = (text: string | null): readonly string[] => (text ?? "").split(/\s+/).filter((word) => word !== "");

/**
 * Finds a place for groups with the controllers `wanted`, which are named with the flag that asks for each: below this
 * process's own group; in version 2 beside it, when processes in that keep it from having groups with controllers.
 * Throws RUNTIME_UNAVAILABLE when the machine lacks a controller or does not let it be used.
 */
export function placeGroups(
  wanted: ReadonlyMap<Controller, string>,
  hierarchies: readonly Hierarchy[],
  files: CgroupFiles,
): readonly GroupPlace[] {
  const places = new Map<Hierarchy, Controller[]>();
  const rest = new Map(wanted);
  for (const hierarchy of hierarchies.filter(({ version }) => version === 1)) {
    const controllers = [...rest.keys()].filter((name) => hierarchy.controllers.includes(name));
    for (const name of controllers) rest.delete(name);
    if (controllers.length > 0) places.set(hierarchy, controllers);
  }
  const old = [...places].map(([hierarchy, controllers]): GroupPlace => {
    return { version: 1, parent: hierarchy.own, controllers, mounted: hierarchy.controllers };
  });
  if (rest.size === 0) return old;
  const unified = hierarchies.find(({ version }) => version === 2);
  const parent = findUnifiedParent(rest, unified, files);
  return [...old, { version: 2, parent, controllers: [...rest.keys()], mounted: [] }];
}

function findUnifiedParent(
  wanted: ReadonlyMap<Controller, string>,
  hierarchy: Hierarchy | undefined,
  files: CgroupFiles,
): string {
  const candidates =
    hierarchy === undefined
      ? []
      : hierarchy.own === hierarchy.mountPoint
        ? [hierarchy.own]
        : [hierarchy.own, dirname(hierarchy.own)];
  let occupied: { readonly flag: string; readonly group: string; readonly cause: unknown } | null = null;
  let lacking: readonly [Controller, string] | undefined = [...wanted][0];
  for (const group of candidates) {
    const available = words(files.read(join(group, "cgroup.controllers")));
    lacking = [...wanted].find(([name]) => !available.includes(name));
    if (lacking !== undefined) continue;
    try {
      enableControllers(group, [...wanted.keys()], files);
      return group;
    } catch (error) {
      const [flag = ""] = wanted.values();
      if (!hasErrno(error, "EBUSY")) throw unusable(flag, error);
      occupied = { flag, group, cause: error };
    }
  }
  if (occupied !== null)
    throw new BuildError(
      "RUNTIME_UNAVAILABLE",
      `${occupied.flag}: control group ${JSON.stringify(occupied.group)} has processes, so groups in it get no controllers`,
      {
        hint: "start tsbuild in a control group of its own, for example with systemd-run --scope",
        cause: occupied.cause,
      },
    );
  const [name = "", flag = ""] = lacking ?? [];
  throw new BuildError(
    "RUNTIME_UNAVAILABLE",
    `${flag}: the ${JSON.stringify(name)} controller of control groups is not available here`,
    { hint: "mount control groups with this controller, or leave the limit out" },
  );
}

/** Lets the groups in `group`, of version 2, have `controllers`. */
export function enableControllers(group: string, controllers: readonly Controller[], files: CgroupFiles): void {
  const path = join(group, "cgroup.subtree_control");
  const enabled = words(files.read(path));
  const missing = controllers.filter((name) => !enabled.includes(name));
  if (missing.length > 0) files.write(path, missing.map((name) => `+${name}`).join(" "));
}

/** The error for a flag, or a group, that comes to nothing because of `cause`, which the kernel gave. */
export function unusable(what: string, cause: unknown): BuildError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new BuildError("RUNTIME_UNAVAILABLE", `${what}: the control group cannot be set up: ${reason}`, {
    hint: hasErrno(cause, "EROFS", "EACCES", "EPERM")
      ? "control groups must be writable: run tsbuild where they are, or leave the limit out"
      : "check the value of the limit against what this machine has, or leave it out",
    cause,
  });
}
