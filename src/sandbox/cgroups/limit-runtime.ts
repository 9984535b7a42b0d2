import type { Runtime } from "../runtime.ts";
import type { LimitedRuntime } from "./limited-runtime.ts";
import { hasLimits, type ResourceLimits } from "./resource-limits.ts";

/** `runtime` with limits, to be closed after use; null when there are none, for which nothing is loaded. */
export async function limitRuntime(runtime: Runtime, limits: ResourceLimits): Promise<LimitedRuntime | null> {
  if (!hasLimits(limits)) return null;
  const { LimitedRuntime } = await import("./limited-runtime.ts");
  return new LimitedRuntime(runtime, limits);
}
