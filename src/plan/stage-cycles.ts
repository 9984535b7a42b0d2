import { BuildError } from "../base/errors.ts";
import type { StagePlan } from "./stage-plan.ts";

/** Throws STAGE_CYCLE when stages copy or mount from each other in a circle. Iterative: chains may be long. */
export function checkCycles(stages: readonly StagePlan[]): void {
  const finished = new Set<StagePlan>();
  for (const start of stages) {
    const path = [{ plan: start, next: start.dependencies.entries() }];
    const onPath = new Set([start]);
    while (!finished.has(start)) {
      const top = path.at(-1);
      if (top === undefined) break;
      const step = top.next.next();
      if (step.done) {
        finished.add(top.plan);
        onPath.delete(top.plan);
        path.pop();
        continue;
      }
      const [dependency, location] = step.value;
      if (onPath.has(dependency))
        throw new BuildError("STAGE_CYCLE", `circular dependency detected on stage: ${dependency.label}`, { location });
      if (finished.has(dependency)) continue;
      path.push({ plan: dependency, next: dependency.dependencies.entries() });
      onPath.add(dependency);
    }
  }
}
