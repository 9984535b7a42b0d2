import type { TreeSource } from "./build-graph.ts";
import type { GraphBuilder } from "./graph-builder.ts";
import type { PlanInput } from "./plan-input.ts";
import type { PlanWarnings } from "./plan-warnings.ts";
import type { StagePlan } from "./stage-plan.ts";
import type { TextBudget } from "./text-budget.ts";

/** What all stages of one image share while they are planned. */
export interface BuildScope {
  readonly input: PlanInput;
  readonly graph: GraphBuilder;
  readonly warnings: PlanWarnings;
  readonly budget: TextBudget;
  readonly buildArgs: ReadonlyMap<string, string>;
  /** ARGs before the first FROM and the automatic ones, by name. */
  readonly globalArgs: ReadonlyMap<string, string>;
  /** Proxy variables of every RUN. */
  readonly proxyEnv: readonly string[];
  readonly hostname: string;
  /** In front of cache mount ids; "" for none. */
  readonly cacheNamespace: string;
  /** Seconds since 1970, or null. */
  readonly epoch: number | null;
  /** Whether the ignore file leaves a path of the main context out; null when that cannot be told. */
  readonly isIgnored: ((path: string) => boolean) | null;
  /** File systems of the stages, images and contexts that are planned already. */
  readonly trees: Map<StagePlan, TreeSource>;
}
