import { join, posix } from "node:path";

/** A hierarchy of control groups, as it is mounted here. */
export interface Hierarchy {
  readonly version: 1 | 2;
  /** Of a version 1 hierarchy; in version 2 each group has its own. */
  readonly controllers: readonly string[];
  readonly mountPoint: string;
  /** The directory of the group this process is in, at or below the mount point. */
  readonly own: string;
}

/** Mountinfo writes white space and backslashes as octal numbers. */
const decodePath = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));

interface CgroupMount {
  readonly type: string;
  readonly root: string;
  readonly mountPoint: string;
  readonly options: readonly string[];
}

function parseMounts(mountinfo: string): readonly CgroupMount[] {
  return mountinfo.split("\n").flatMap((line) => {
    const [before = "", after = ""] = line.split(" - ");
    const [type = "", , options = ""] = after.split(" ");
    if (type !== "cgroup" && type !== "cgroup2") return [];
    const [, , , root = "", mountPoint = ""] = before.split(" ");
    return [{ type, root: decodePath(root), mountPoint: decodePath(mountPoint), options: options.split(",") }];
  });
}

/** Where the group `path` is seen in a mount whose root is the group `root`; null when it is not below. */
function directoryOf(path: string, { root, mountPoint }: CgroupMount): string | null {
  const below = posix.relative(root, path);
  return below === ".." || below.startsWith("../") ? null : join(mountPoint, below);
}

/**
 * The hierarchies a process can make groups in: version 1, version 2, or both. Takes its /proc/self/mountinfo and
 * /proc/self/cgroup (proc(5), cgroups(7)).
 */
export function findHierarchies(mountinfo: string, memberships: string): readonly Hierarchy[] {
  const mounts = parseMounts(mountinfo);
  return memberships.split("\n").flatMap((line) => {
    const match = /^\d+:([^:]*):(\/.*)$/.exec(line);
    if (match === null) return [];
    const [, names = "", path = ""] = match;
    const controllers = names === "" ? [] : names.split(",");
    for (const mount of mounts) {
      const isIt = names === "" ? mount.type === "cgroup2" : controllers.every((name) => mount.options.includes(name));
      const own = isIt ? directoryOf(path, mount) : null;
      if (own !== null) return [{ version: names === "" ? 2 : 1, controllers, mountPoint: mount.mountPoint, own }];
    }
    return [];
  });
}
