import { dirname } from "node:path";
import type { CgroupFiles } from "../../../../src/sandbox/cgroups/cgroup-files.ts";

interface Group {
  readonly knobs: Map<string, string>;
  readonly processes: Set<number>;
  readonly version: 1 | 2;
  readonly isRoot: boolean;
}

/** Files the kernel makes in a group, by controller. */
const knobsOf = {
  1: {
    memory: { limit_in_bytes: "max", "memsw.limit_in_bytes": "max", oom_control: "under_oom 0\noom_kill 0\n" },
    cpu: { shares: "1024", cfs_period_us: "100000", cfs_quota_us: "-1" },
    cpuset: { cpus: "", mems: "" },
    pids: { max: "max", events: "max 0\n" },
  },
  2: {
    memory: { max: "max", "swap.max": "max", events: "oom 0\noom_kill 0\n" },
    cpu: { max: "max 100000", weight: "100" },
    cpuset: { cpus: "" },
    pids: { max: "max", events: "max 0\n" },
  },
} as const;
type Controller = keyof (typeof knobsOf)[1];

const failure = (code: string, path: string): Error => Object.assign(new Error(`${code}: ${path}`), { code });
const words = (text: string): readonly string[] => text.split(" ").filter((word) => word !== "");

/** Control group file systems in memory, with the rules that the kernel has for them. */
export class FakeCgroups implements CgroupFiles {
  readonly #groups = new Map<string, Group>();
  readonly killed: number[] = [];
  isReadOnly = false;

  /** Mounts a hierarchy. */
  mount(path: string, version: 1 | 2, controllers: readonly Controller[]): void {
    const group: Group = { knobs: new Map(), processes: new Set(), version, isRoot: true };
    this.#groups.set(path, group);
    if (version === 2) {
      group.knobs.set("cgroup.controllers", controllers.join(" ")).set("cgroup.subtree_control", "");
      return;
    }
    addKnobs(group, controllers);
    if (controllers.includes("cpuset")) group.knobs.set("cpuset.cpus", "0-3").set("cpuset.mems", "0");
  }

  /** Puts a process in a group. */
  enter(path: string, pid: number): void {
    this.#group(path).processes.add(pid);
  }

  /** Sets a knob as the kernel does. */
  set(path: string, text: string): void {
    this.#group(dirname(path)).knobs.set(path.slice(dirname(path).length + 1), text);
  }

  /** Takes a knob away that the kernel does not have. */
  unset(path: string): void {
    this.#group(dirname(path)).knobs.delete(path.slice(dirname(path).length + 1));
  }

  get groups(): readonly string[] {
    return [...this.#groups.keys()].sort();
  }

  read(path: string): string | null {
    const group = this.#groups.get(dirname(path));
    const name = path.slice(dirname(path).length + 1);
    if (name === "cgroup.procs" && group !== undefined) return [...group.processes].map((pid) => `${pid}\n`).join("");
    return group?.knobs.get(name) ?? null;
  }

  write(path: string, text: string): void {
    const name = path.slice(dirname(path).length + 1);
    const group = this.#group(dirname(path));
    if (name === "cgroup.kill" && group.version === 2) {
      for (const [directory, { processes }] of this.#groups)
        if (`${directory}/`.startsWith(`${dirname(path)}/`)) processes.clear();
      return;
    }
    const old = group.knobs.get(name);
    if (old === undefined) throw failure("ENOENT", path);
    if (this.isReadOnly) throw failure("EROFS", path);
    if (name !== "cgroup.subtree_control") {
      group.knobs.set(name, text);
      return;
    }
    if (!group.isRoot && group.processes.size > 0) throw failure("EBUSY", path);
    const asked = words(text).map((word) => word.slice(1));
    const available = words(group.knobs.get("cgroup.controllers") ?? "");
    if (!asked.every((controller) => available.includes(controller))) throw failure("ENOENT", path);
    group.knobs.set(name, [...new Set([...words(old), ...asked])].join(" "));
  }

  makeDirectory(path: string): void {
    const parent = this.#group(dirname(path));
    if (this.#groups.has(path)) throw failure("EEXIST", path);
    if (this.isReadOnly) throw failure("EROFS", path);
    const group: Group = { knobs: new Map(), processes: new Set(), version: parent.version, isRoot: false };
    this.#groups.set(path, group);
    if (group.version === 1) {
      addKnobs(
        group,
        (Object.keys(knobsOf[1]) as Controller[]).filter((name) => hasController(parent, name)),
      );
      return;
    }
    const controllers = words(parent.knobs.get("cgroup.subtree_control") ?? "") as readonly Controller[];
    group.knobs.set("cgroup.controllers", controllers.join(" ")).set("cgroup.subtree_control", "");
    addKnobs(group, controllers);
  }

  removeDirectory(path: string): void {
    if (this.#group(path).processes.size > 0 || this.groupsIn(path).length > 0) throw failure("EBUSY", path);
    this.#groups.delete(path);
  }

  groupsIn(path: string): readonly string[] {
    return this.groups.filter((other) => dirname(other) === path).map((other) => other.slice(path.length + 1));
  }

  kill(pid: number): void {
    this.killed.push(pid);
    for (const { processes } of this.#groups.values()) processes.delete(pid);
  }

  #group(path: string): Group {
    const group = this.#groups.get(path);
    if (group === undefined) throw failure("ENOENT", path);
    return group;
  }
}

const hasController = ({ knobs }: Group, name: Controller): boolean =>
  [...knobs.keys()].some((knob) => knob.startsWith(`${name}.`));

function addKnobs({ knobs, version }: Group, controllers: readonly Controller[]): void {
  for (const controller of controllers)
    for (const [knob, value] of Object.entries(knobsOf[version][controller])) knobs.set(`${controller}.${knob}`, value);
}
