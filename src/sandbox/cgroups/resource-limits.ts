/** What all steps of a build, or a container, may use together; null is as much as there is. */
export interface ResourceLimits {
  readonly memoryBytes: number | null;
  /** Memory and swap space together; null: as much swap space as memory. Counts only with `memoryBytes`. */
  readonly memoryAndSwapBytes: number | "unlimited" | null;
  /** Processor time a second, in seconds. */
  readonly cpus: number | null;
  /** Weight against others when processors are short, from 2 to 262144; 1024 is the usual one. */
  readonly cpuShares: number | null;
  /** Processors by number: `0-3,7`. */
  readonly cpuset: string | null;
  /** Processes and threads at the same time. */
  readonly maxProcesses: number | null;
}

export type Controller = "memory" | "cpu" | "cpuset" | "pids";

/** A file of a control group that a limit is written to. */
export interface KnobSetting {
  /** The flag that asked for it. */
  readonly flag: string;
  readonly controller: Controller;
  readonly knob: string;
  readonly value: string;
  /** Not asked for by name: where the kernel does not have the knob, nothing is to limit. */
  readonly isImplied: boolean;
}

export const hasLimits = (limits: ResourceLimits): boolean => Object.values(limits).some((limit) => limit !== null);

/** The controllers that `limits` need, with the flag that asks for each. */
export function controllersOf(limits: ResourceLimits): ReadonlyMap<Controller, string> {
  const controllers = new Map<Controller, string>();
  for (const { controller, flag } of settingsOf(limits, () => 2)) {
    if (!controllers.has(controller)) controllers.set(controller, flag);
  }
  return controllers;
}

const cpuPeriodUs = 100_000;

/** Shares of the first version as weight of the second: the smallest is 1, the largest 10000. */
const weightOfShares = (shares: number): number => 1 + Math.floor(((shares - 2) * 9999) / 262142);

/** What has to be written, in this order, for `limits`; `versionOf` is the version of control groups a controller is in. */
export function settingsOf(
  limits: ResourceLimits,
  versionOf: (controller: Controller) => 1 | 2,
): readonly KnobSetting[] {
  const settings: KnobSetting[] = [];
  const add = (flag: string, controller: Controller, knob: string, value: number | string, isImplied = false): void => {
    settings.push({ flag, controller, knob: `${controller}.${knob}`, value: String(value), isImplied });
  };
  const { memoryBytes, memoryAndSwapBytes, cpus, cpuShares, cpuset, maxProcesses } = limits;
  if (memoryBytes !== null) {
    const total = memoryAndSwapBytes ?? 2 * memoryBytes;
    const isImplied = memoryAndSwapBytes === null;
    if (versionOf("memory") === 2) {
      add("--memory", "memory", "max", memoryBytes);
      const swap = total === "unlimited" ? "max" : total - memoryBytes;
      add("--memory-swap", "memory", "swap.max", swap, isImplied);
    } else {
      add("--memory", "memory", "limit_in_bytes", memoryBytes);
      add("--memory-swap", "memory", "memsw.limit_in_bytes", total === "unlimited" ? -1 : total, isImplied);
    }
  }
  if (cpus !== null) {
    const quotaUs = Math.round(cpus * cpuPeriodUs);
    if (versionOf("cpu") === 2) add("--cpus", "cpu", "max", `${quotaUs} ${cpuPeriodUs}`);
    else {
      add("--cpus", "cpu", "cfs_period_us", cpuPeriodUs);
      add("--cpus", "cpu", "cfs_quota_us", quotaUs);
    }
  }
  if (cpuShares !== null) {
    if (versionOf("cpu") === 2) add("--cpu-shares", "cpu", "weight", weightOfShares(cpuShares));
    else add("--cpu-shares", "cpu", "shares", cpuShares);
  }
  if (cpuset !== null) add("--cpuset-cpus", "cpuset", "cpus", cpuset);
  if (maxProcesses !== null) add("--pids-limit", "pids", "max", maxProcesses);
  return settings;
}
