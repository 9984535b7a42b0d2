import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { hostCgroupFiles } from "../../src/sandbox/cgroups/cgroup-files.ts";
import { findHierarchies } from "../../src/sandbox/cgroups/find-hierarchies.ts";
import { nameGroup, thisOwner } from "../../src/sandbox/cgroups/group-owner.ts";
import { LimitedRuntime } from "../../src/sandbox/cgroups/limited-runtime.ts";
import { openBuildCgroup } from "../../src/sandbox/cgroups/open-build-cgroup.ts";
import { placeGroups } from "../../src/sandbox/cgroups/place-groups.ts";
import { controllersOf, type ResourceLimits } from "../../src/sandbox/cgroups/resource-limits.ts";
import { NamespaceRuntime } from "../../src/sandbox/namespaces/namespace-runtime.ts";
import { useSandbox } from "../conformance/runtime/sandbox.ts";
import { baseLayout } from "../support/base-registry.ts";
import { rejectionOf } from "../support/thrown-by.ts";
import { useEngine } from "../support/use-engine.ts";

const limits: ResourceLimits = {
  memoryBytes: 48 << 20,
  memoryAndSwapBytes: null,
  cpus: 0.75,
  cpuShares: null,
  cpuset: null,
  maxProcesses: 40,
};
const inner = new NamespaceRuntime();

/** Why no groups can be made here; null when they can. */
async function findProblem(): Promise<string | null> {
  const [missing] = await inner.probe();
  if (missing !== undefined) return missing.what;
  try {
    await openBuildCgroup(limits).remove();
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const problem = await findProblem();
const runtime = new LimitedRuntime(inner, limits);

const placesHere = (): readonly string[] => {
  const [mounts, own] = ["/proc/self/mountinfo", "/proc/self/cgroup"].map((path) => readFileSync(path, "utf8"));
  const hierarchies = findHierarchies(mounts ?? "", own ?? "");
  return placeGroups(controllersOf(limits), hierarchies, hostCgroupFiles).map(({ parent }) => parent);
};
const groupsHere = (name: string): readonly string[] =>
  placesHere().flatMap((parent) => hostCgroupFiles.groupsIn(parent).filter((group) => group.startsWith(name)));

describe.skipIf(problem !== null)(`limits of steps (${problem ?? "can be set here"})`, () => {
  const sandbox = useSandbox(runtime);
  const own = nameGroup(thisOwner(), "");

  test("a step without memory left is killed, which the error says", async () => {
    const error = await rejectionOf(sandbox.shell("tail /dev/zero"));
    expect(error).toMatchObject({
      code: "RUN_FAILED",
      message: "killed: out of memory (limit 48 MiB)",
      details: { oom: true },
      hint: expect.stringContaining("--memory"),
    });
  });

  test("files in memory count too", async () => {
    const error = await rejectionOf(
      sandbox.shell("dd if=/dev/zero of=/dev/shm/a bs=1M count=60", { shmSizeBytes: 1 << 30 }),
    );
    expect(error.message).toBe("killed: out of memory (limit 48 MiB)");
  });

  test("processes without end are bounded, and end with the step", async () => {
    const error = await rejectionOf(sandbox.shell("while true; do sleep 1000 & done"));
    expect(error).toMatchObject({
      code: "RUN_FAILED",
      message: expect.stringContaining("after processes were refused (limit 40)"),
      details: { exitCode: expect.any(Number) },
    });
    expect(groupsHere(own).length).toBeGreaterThan(0);
  });

  test("a step sees itself at the root of its control groups, and cannot change them", async () => {
    const text = await sandbox.outputOf("cut -d: -f3 /proc/self/cgroup | sort -u; find /sys/fs/cgroup -name pids.max");
    const [root, knob] = text.split("\n");
    expect(root).toBe("/");
    expect((await sandbox.shell(`echo 9 >${knob}`)).stderr).toContain("Read-only file system");
  });

  test("the failure of a step that reached no limit stays what it is", async () => {
    expect((await sandbox.shell("exit 3")).status).toEqual({ exitCode: 3, signal: null });
  });

  test("the budget for processor time is the kernel's", async () => {
    await sandbox.outputOf("true");
    const [v1, v2] = ["cpu.cfs_quota_us", "cpu.max"].map((knob) =>
      placesHere()
        .flatMap((parent) => groupsHere(own).map((group) => hostCgroupFiles.read(join(parent, group, knob))))
        .filter((text) => text !== null),
    );
    expect([...(v1 ?? []), ...(v2 ?? [])].map((text) => text.trim().split(" ")[0])).toContain("75000");
  });

  test("what still runs of a build that was killed is ended by the next one", async () => {
    const [parent = ""] = placesHere();
    const left = nameGroup({ ...thisOwner(), pid: spawnSync("true").pid, startTime: "1" }, "ab");
    hostCgroupFiles.makeDirectory(join(parent, left));
    const running = spawn("sleep", ["1000"], { stdio: "ignore" });
    const end = once(running, "exit");
    hostCgroupFiles.write(join(parent, left, "cgroup.procs"), String(running.pid));
    await openBuildCgroup(limits).remove();
    expect(await end).toEqual([null, "SIGKILL"]);
    await openBuildCgroup(limits).remove();
    expect(groupsHere(left)).toEqual([]);
  });

  test("nothing is left of a build", async () => {
    await sandbox.outputOf("true");
    expect(groupsHere(own)).not.toEqual([]);
    await runtime.close();
    expect(groupsHere(own)).toEqual([]);
  });
});

describe.skipIf(problem !== null)(`limits of builds (${problem ?? "can be set here"})`, () => {
  const under = useEngine();

  test("are no part of what a result is looked up by, and leave no group", async () => {
    const context = under.directory({ Dockerfile: "FROM base\nRUN true\n" });
    const base = ["--build-context", `base=oci-layout://${baseLayout}`];
    expect((await under.build(...base, "--pids-limit=50", "--memory=1g", context)).ran).not.toEqual([]);
    expect((await under.build(...base, "--pids-limit=60", context)).ran).toEqual([]);
    expect(groupsHere(nameGroup(thisOwner(), ""))).toEqual([]);
  });

  test("make a step fail that needs more", async () => {
    const context = under.directory({ Dockerfile: "FROM base\nRUN tail /dev/zero\n" });
    const base = ["--build-context", `base=oci-layout://${baseLayout}`];
    await expect(under.build(...base, "--memory=32m", context)).rejects.toMatchObject({
      code: "RUN_FAILED",
      message: expect.stringContaining("killed: out of memory (limit 32 MiB)"),
      details: { exitCode: expect.any(Number), oom: true },
    });
  });
});
