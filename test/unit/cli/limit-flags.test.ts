import { expect, test } from "vitest";
import { type LimitOptions, parseLimits } from "../../../src/cli/limit-flags.ts";
import type { ResourceLimits } from "../../../src/sandbox/cgroups/resource-limits.ts";
import { requestOf } from "../../support/build-request.ts";
import { thrownBy } from "../../support/thrown-by.ts";

const none: ResourceLimits = {
  memoryBytes: null,
  memoryAndSwapBytes: null,
  cpus: null,
  cpuShares: null,
  cpuset: null,
  maxProcesses: null,
};

test.each<readonly [readonly string[], Partial<ResourceLimits>]>([
  [[], {}],
  [["-m", "64m"], { memoryBytes: 64 << 20 }],
  [["--memory=1g", "--memory-swap=2g"], { memoryBytes: 2 ** 30, memoryAndSwapBytes: 2 ** 31 }],
  [["--memory=1g", "--memory-swap=-1"], { memoryBytes: 2 ** 30, memoryAndSwapBytes: "unlimited" }],
  [["--cpus", "1.5"], { cpus: 1.5 }],
  [["--cpus", ".5"], { cpus: 0.5 }],
  [["--cpu-shares", "512"], { cpuShares: 512 }],
  [["--cpuset-cpus", "0-3,7"], { cpuset: "0-3,7" }],
  [["--pids-limit", "100"], { maxProcesses: 100 }],
  [["--pids-limit=-1"], {}],
])("%j", async (flags, limits) => {
  expect((await requestOf(["build", ...flags, "."])).limits).toEqual({ ...none, ...limits });
});

test.each<readonly [LimitOptions, string]>([
  [{ memory: "lots" }, "not a size"],
  [{ memory: "5m" }, "at least 6m"],
  [{ memorySwap: "1g" }, "needs --memory"],
  [{ memory: "1g", memorySwap: "1m" }, "less than --memory"],
  [{ cpus: "0" }, "from 0.01"],
  [{ cpus: "1e3" }, "from 0.01"],
  [{ cpuShares: "1" }, "from 2 to 262144"],
  [{ cpusetCpus: "0-" }, "want processors"],
  [{ cpusetCpus: "0\n1" }, "want processors"],
  [{ pidsLimit: "0" }, "from 1"],
  [{ pidsLimit: "1.5" }, "from 1"],
])("%j is refused", (options, problem) => {
  expect(thrownBy(() => parseLimits(options))).toMatchObject({
    code: "USAGE_INVALID",
    message: expect.stringContaining(problem),
  });
});
