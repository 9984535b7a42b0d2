import { join } from "node:path";
import { expect, test } from "vitest";
import { BuildError } from "../../../../src/base/errors.ts";
import { BuildCgroup } from "../../../../src/sandbox/cgroups/build-cgroup.ts";
import { LimitedRuntime } from "../../../../src/sandbox/cgroups/limited-runtime.ts";
import type { ResourceLimits } from "../../../../src/sandbox/cgroups/resource-limits.ts";
import type { ExitStatus, Runtime } from "../../../../src/sandbox/runtime.ts";
import { emptySpec } from "../../../conformance/runtime/sandbox.ts";
import { FakeCgroups } from "./fake-cgroups.ts";

const limits: ResourceLimits = {
  memoryBytes: 1536 << 20,
  memoryAndSwapBytes: null,
  cpus: null,
  cpuShares: null,
  cpuset: null,
  maxProcesses: 9,
};
const spec = { ...emptySpec, args: ["true"], lowers: [], upper: "/upper", work: "/work" };
const exited = (exitCode: number): ExitStatus => ({ exitCode, signal: null });
const oomKill = { "memory.events": "oom_kill 1\n" };
const refusal = { "pids.events": "max 4\n" };
const setupFailed = new BuildError("RUNTIME_SETUP_FAILED", "the sandbox ended before the step began");
const cancelled = new BuildError("BUILD_CANCELLED", "the step was cancelled");
const outOfMemory = { code: "RUN_FAILED", message: "killed: out of memory (limit 1536 MiB)" };

test.each<readonly [string, Readonly<Record<string, string>>, ExitStatus | BuildError, unknown]>([
  ["fails without reaching a limit", {}, exited(3), { status: exited(3) }],
  ["succeeds although one of its processes was killed", oomKill, exited(0), { status: exited(0) }],
  [
    "fails after one of its processes was killed",
    oomKill,
    exited(137),
    { error: { ...outOfMemory, details: { exitCode: 137, signal: null, oom: true } } },
  ],
  [
    "is killed itself",
    oomKill,
    { exitCode: null, signal: "SIGKILL" },
    { error: { ...outOfMemory, details: { exitCode: 137, signal: "SIGKILL", oom: true } } },
  ],
  ["does not come to its program for lack of memory", oomKill, setupFailed, { error: outOfMemory }],
  ["does not come to its program for another reason", {}, setupFailed, { error: { code: setupFailed.code } }],
  ["is cancelled", oomKill, cancelled, { error: { code: cancelled.code } }],
  [
    "fails after processes were refused",
    refusal,
    exited(2),
    { error: { code: "RUN_FAILED", message: "exit code: 2, after processes were refused (limit 9)" } },
  ],
  ["succeeds although processes were refused", refusal, exited(0), { status: exited(0) }],
])("a step that %s", async (_, events, end, outcome) => {
  const files = new FakeCgroups();
  files.mount("/u", 2, ["memory", "pids"]);
  files.write("/u/cgroup.subtree_control", "+memory +pids");
  const inner: Runtime = {
    probe: async () => [],
    async run({ cgroups = [] }) {
      expect(cgroups).toEqual(["/u/g/step-1"]);
      for (const [knob, text] of Object.entries(events)) files.set(join("/u/g/step-1", knob), text);
      if (end instanceof BuildError) throw end;
      return end;
    },
  };
  const place = { version: 2, parent: "/u", controllers: ["memory", "pids"], mounted: [] } as const;
  const runtime = new LimitedRuntime(inner, limits, () => new BuildCgroup(limits, [place], "g", files));
  const ran = runtime.run(spec, { output: () => {} }, new AbortController().signal);
  expect(await ran.then((status) => ({ status })).catch((error: unknown) => ({ error }))).toMatchObject(
    outcome as object,
  );
  expect(files.groups).toEqual(["/u", "/u/g"]);
  await runtime.close();
  expect(files.groups).toEqual(["/u"]);
});
