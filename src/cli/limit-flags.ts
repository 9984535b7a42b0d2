import { BuildError } from "../base/errors.ts";
import type { ResourceLimits } from "../sandbox/cgroups/resource-limits.ts";
import { parseSize } from "./build-flags.ts";

/** Options about limits as the command line gives them, unparsed. */
export interface LimitOptions {
  readonly memory?: string;
  readonly memorySwap?: string;
  readonly cpus?: string;
  readonly cpuShares?: string;
  readonly cpusetCpus?: string;
  readonly pidsLimit?: string;
}

/** Flags and what help says of them, in the order of the alphabet. */
export const limitFlags: readonly (readonly [string, string])[] = [
  ["--cpu-shares <weight>", "weight of its processes when processors are short (usual: 1024)"],
  ["--cpus <number>", "processor time a second: 1.5 is one and a half processors"],
  ["--cpuset-cpus <list>", "processors it may use: 0-3,7"],
  ["-m, --memory <size>", "memory it may use"],
  ["--memory-swap <size>", "memory and swap space together, -1 for any (default: twice the memory)"],
  ["--pids-limit <number>", "processes and threads at the same time, -1 for any"],
];

const invalid = (flag: string, value: string, problem: string, hint?: string): BuildError =>
  new BuildError("USAGE_INVALID", `--${flag} ${JSON.stringify(value)}: ${problem}`, { hint });

/** With less the sandbox itself does not fit. */
const leastMemoryBytes = 6 << 20;
/** The kernel refuses less than a millisecond in each tenth of a second. */
const leastCpus = 0.01;

/** The limits of a build or container; throws USAGE_INVALID. */
export function parseLimits(options: LimitOptions): ResourceLimits {
  const memoryBytes = parseMemory(options.memory);
  return {
    memoryBytes,
    memoryAndSwapBytes: parseMemorySwap(options.memorySwap, memoryBytes),
    cpus: parseCpus(options.cpus),
    cpuShares: parseWhole("cpu-shares", options.cpuShares, 2, 262144),
    cpuset: parseCpuset(options.cpusetCpus),
    maxProcesses: options.pidsLimit === "-1" ? null : parseWhole("pids-limit", options.pidsLimit, 1, 4194304),
  };
}

function parseMemory(value: string | undefined): number | null {
  if (value === undefined) return null;
  const sizeBytes = parseSize("memory", value);
  if (sizeBytes < leastMemoryBytes) throw invalid("memory", value, "a step needs at least 6m");
  return sizeBytes;
}

function parseMemorySwap(value: string | undefined, memoryBytes: number | null): number | "unlimited" | null {
  if (value === undefined) return null;
  if (memoryBytes === null) throw invalid("memory-swap", value, "needs --memory");
  if (value === "-1") return "unlimited";
  const sizeBytes = parseSize("memory-swap", value);
  if (sizeBytes < memoryBytes)
    throw invalid("memory-swap", value, "less than --memory", "it is the sum of memory and swap space");
  return sizeBytes;
}

function parseCpus(value: string | undefined): number | null {
  if (value === undefined) return null;
  const cpus = /^\d+(\.\d+)?$|^\.\d+$/.test(value) ? Number(value) : Number.NaN;
  if (!(cpus >= leastCpus && cpus <= 8192)) throw invalid("cpus", value, "want a number from 0.01 to 8192");
  return cpus;
}

function parseCpuset(value: string | undefined): string | null {
  if (value === undefined) return null;
  if (!/^\d{1,5}(-\d{1,5})?(,\d{1,5}(-\d{1,5})?)*$/.test(value))
    throw invalid("cpuset-cpus", value, "want processors like 0-3,7");
  return value;
}

function parseWhole(flag: string, value: string | undefined, least: number, most: number): number | null {
  if (value === undefined) return null;
  const number = /^\d{1,10}$/.test(value) ? Number(value) : Number.NaN;
  if (!(number >= least && number <= most)) throw invalid(flag, value, `want a whole number from ${least} to ${most}`);
  return number;
}
