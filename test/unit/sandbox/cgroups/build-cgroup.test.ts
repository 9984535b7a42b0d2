import { describe, expect, test } from "vitest";
import { BuildCgroup } from "../../../../src/sandbox/cgroups/build-cgroup.ts";
import type { Hierarchy } from "../../../../src/sandbox/cgroups/find-hierarchies.ts";
import { placeGroups } from "../../../../src/sandbox/cgroups/place-groups.ts";
import { removeDeadGroups } from "../../../../src/sandbox/cgroups/remove-dead-groups.ts";
import { controllersOf, type ResourceLimits } from "../../../../src/sandbox/cgroups/resource-limits.ts";
import { thrownBy } from "../../../support/thrown-by.ts";
import { FakeCgroups } from "./fake-cgroups.ts";

const none: ResourceLimits = {
  memoryBytes: null,
  memoryAndSwapBytes: null,
  cpus: null,
  cpuShares: null,
  cpuset: null,
  maxProcesses: null,
};
const all: ResourceLimits = {
  memoryBytes: 100,
  memoryAndSwapBytes: 150,
  cpus: 1.5,
  cpuShares: 1024,
  cpuset: "0-1",
  maxProcesses: 7,
};

interface Machine {
  readonly files: FakeCgroups;
  readonly hierarchies: readonly Hierarchy[];
}

const unifiedAt = (own: string): Hierarchy => ({ version: 2, controllers: [], mountPoint: "/u", own });
const everything = ["memory", "cpu", "cpuset", "pids"] as const;

/** Version 2 only; tsbuild is at the root of what it sees. */
function unified(): Machine {
  const files = new FakeCgroups();
  files.mount("/u", 2, everything);
  return { files, hierarchies: [unifiedAt("/u")] };
}

/** Version 2 only; tsbuild is in /u/scope, with other processes. */
function unifiedBelow(): Machine {
  const { files } = unified();
  files.write("/u/cgroup.subtree_control", "+memory +pids");
  files.makeDirectory("/u/scope");
  files.enter("/u/scope", 1);
  return { files, hierarchies: [unifiedAt("/u/scope")] };
}

/** Version 1 only, some controllers mounted together. */
function old(): Machine {
  const files = new FakeCgroups();
  files.mount("/memory", 1, ["memory"]);
  files.mount("/cpu", 1, ["cpu", "cpuset"]);
  files.mount("/pids", 1, ["pids"]);
  const at = (path: string, controllers: readonly string[]): Hierarchy => {
    return { version: 1, controllers, mountPoint: path, own: path };
  };
  return { files, hierarchies: [at("/memory", ["memory"]), at("/cpu", ["cpu", "cpuset"]), at("/pids", ["pids"])] };
}

/** Memory in version 1, the rest in version 2. */
function hybrid(): Machine {
  const { files, hierarchies } = old();
  files.mount("/u", 2, ["cpu", "cpuset", "pids"]);
  return { files, hierarchies: [...hierarchies.slice(0, 1), unifiedAt("/u")] };
}

const make = ({ files, hierarchies }: Machine, limits: ResourceLimits): BuildCgroup =>
  new BuildCgroup(limits, placeGroups(controllersOf(limits), hierarchies, files), "g", files);

const oldMemory = { "/memory/g/memory.limit_in_bytes": "100", "/memory/g/memory.memsw.limit_in_bytes": "150" };
const newRest = {
  "/u/g/cpu.max": "150000 100000",
  "/u/g/cpu.weight": "39",
  "/u/g/cpuset.cpus": "0-1",
  "/u/g/pids.max": "7",
};

describe("the groups of a build", () => {
  test.each<readonly [string, () => Machine, Readonly<Record<string, string>>, readonly string[]]>([
    ["version 2", unified, { "/u/g/memory.max": "100", "/u/g/memory.swap.max": "50", ...newRest }, ["/u/g/step-1"]],
    [
      "version 1",
      old,
      {
        ...oldMemory,
        "/cpu/g/cpu.cfs_period_us": "100000",
        "/cpu/g/cpu.cfs_quota_us": "150000",
        "/cpu/g/cpu.shares": "1024",
        "/cpu/g/cpuset.cpus": "0-1",
        "/cpu/g/cpuset.mems": "0",
        "/cpu/g/step-1/cpuset.cpus": "0-1",
        "/cpu/g/step-1/cpuset.mems": "0",
        "/pids/g/pids.max": "7",
      },
      ["/memory/g/step-1", "/cpu/g/step-1", "/pids/g/step-1"],
    ],
    ["both versions", hybrid, { ...oldMemory, ...newRest }, ["/memory/g/step-1", "/u/g/step-1"]],
  ])("have the limits, and nothing is left of them: %s", async (_, machine, knobs, directories) => {
    const { files, hierarchies } = machine();
    const before = files.groups;
    const group = make({ files, hierarchies }, all);
    const step = group.openStep();
    expect(step.directories).toEqual(directories);
    for (const [path, value] of Object.entries(knobs)) expect([path, files.read(path)]).toEqual([path, value]);
    await step.remove();
    await group.remove();
    expect(files.groups).toEqual(before);
  });

  test("are made for what is limited only", () => {
    const { files, hierarchies } = old();
    expect(make({ files, hierarchies }, { ...none, maxProcesses: 1 }).openStep().directories).toEqual([
      "/pids/g/step-1",
    ]);
  });

  test("lie beside a group with processes: version 2 lets those have no controllers", () => {
    const machine = unifiedBelow();
    expect(make(machine, { ...none, memoryBytes: 8 }).openStep().directories).toEqual(["/u/g/step-1"]);
  });

  test("allow as much swap space as memory, where the kernel counts it", () => {
    const counted = unified();
    make(counted, { ...none, memoryBytes: 100 });
    expect(counted.files.read("/u/g/memory.swap.max")).toBe("100");
    const { files, hierarchies } = unified();
    const make1 = files.makeDirectory.bind(files);
    files.makeDirectory = (path) => {
      make1(path);
      files.unset(`${path}/memory.swap.max`);
    };
    make({ files, hierarchies }, { ...none, memoryBytes: 100 });
    expect(files.read("/u/g/memory.max")).toBe("100");
    const asked = thrownBy(() => new BuildCgroup(all, placeGroups(controllersOf(all), hierarchies, files), "h", files));
    expect(asked).toMatchObject({ code: "RUNTIME_UNAVAILABLE", message: expect.stringContaining("--memory-swap") });
    expect(files.groups).toEqual(["/u", "/u/g"]);
  });

  test("with groups a step made are removed too", async () => {
    const { files, hierarchies } = unified();
    const step = make({ files, hierarchies }, all).openStep();
    files.makeDirectory("/u/g/step-1/inner");
    await step.remove();
    expect(files.groups).toEqual(["/u", "/u/g"]);
  });
});

describe("events", () => {
  test.each([
    ["version 2", unified, "/u/g/step-1/memory.events", "oom 9\noom_kill 2\noom_group_kill 0\n"],
    ["version 1", old, "/memory/g/step-1/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"],
  ])("of memory are the step's own: %s", (_, machine, path, text) => {
    const { files, hierarchies } = machine();
    const group = make({ files, hierarchies }, all);
    const [first, second] = [group.openStep(), group.openStep()];
    files.set(path, text);
    expect(first.events()).toEqual({ oomKills: 2, refusedProcesses: 0 });
    expect(second.events()).toEqual({ oomKills: 0, refusedProcesses: 0 });
  });

  test.each(["/u/g/step-2/pids.events", "/u/g/pids.events"])(
    "of processes are those since the step began: %s",
    (path) => {
      const { files, hierarchies } = unified();
      const group = make({ files, hierarchies }, all);
      files.set("/u/g/pids.events", "max 3\n");
      group.openStep();
      const step = group.openStep();
      expect(step.events().refusedProcesses).toBe(0);
      files.set(path, path.includes("step") ? "max 2\n" : "max 5\n");
      expect(step.events().refusedProcesses).toBe(2);
    },
  );
});

describe("what cannot be limited is an error that says which flag", () => {
  const unavailable = (message: string) => ({ code: "RUNTIME_UNAVAILABLE", message: expect.stringContaining(message) });
  test.each<readonly [string, () => Machine, Partial<ResourceLimits>, string]>([
    [
      "no control groups at all",
      () => ({ ...unified(), hierarchies: [] }),
      { cpus: 1 },
      '--cpus: the "cpu" controller',
    ],
    [
      "version 1 without it",
      () => ({ ...old(), hierarchies: old().hierarchies.slice(1) }),
      { memoryBytes: 8 },
      '"memory"',
    ],
    [
      "version 2 without it",
      () => ({ ...hybrid(), hierarchies: [unifiedAt("/u")] }),
      { memoryBytes: 8 },
      '--memory: the "memory"',
    ],
  ])("%s", (_, machine, limits, message) => {
    expect(thrownBy(() => make(machine(), { ...none, ...limits }))).toMatchObject(unavailable(message));
  });

  test.each([unified, old])("control groups that are read-only", (machine) => {
    const { files, hierarchies } = machine();
    const before = files.groups;
    files.isReadOnly = true;
    const error = thrownBy(() => make({ files, hierarchies }, { ...none, maxProcesses: 5 }));
    expect(error).toMatchObject({ ...unavailable("--pids-limit"), hint: expect.stringContaining("writable") });
    expect(files.groups).toEqual(before);
  });

  test("a group with processes, and nothing above it", () => {
    const { files } = unifiedBelow();
    const hierarchies: readonly Hierarchy[] = [
      { version: 2, controllers: [], mountPoint: "/u/scope", own: "/u/scope" },
    ];
    const error = thrownBy(() => make({ files, hierarchies }, { ...none, memoryBytes: 8 }));
    expect(error).toMatchObject(unavailable('"/u/scope" has processes'));
  });
});

test.each<readonly [string, () => Machine, string, readonly number[], readonly string[]]>([
  ["by their processes", old, "/pids", [41, 42], ["tsbuild-1-7-9-ef"]],
  ["at once", unified, "/u", [], []],
])("groups of dead builds are emptied %s and removed, others stay", (_, machine, parent, killed, unseen) => {
  const { files } = machine();
  for (const name of ["7-9-ab", "7-9-ab/step-1", "7-9-ef", "8-9-cd", "7"])
    files.makeDirectory(`${parent}/tsbuild-1-${name}`);
  files.enter(`${parent}/tsbuild-1-7-9-ab/step-1`, 41);
  files.enter(`${parent}/tsbuild-1-7-9-ab/step-1`, 42);
  // what the kernel says of a process in a PID namespace outside
  files.enter(`${parent}/tsbuild-1-7-9-ef`, 0);
  removeDeadGroups(parent, ({ pid, startTime }) => pid === 7 && startTime === "9", files);
  expect(files.killed).toEqual(killed);
  expect(files.groupsIn(parent)).toEqual(["tsbuild-1-7", ...unseen, "tsbuild-1-8-9-cd"]);
});
