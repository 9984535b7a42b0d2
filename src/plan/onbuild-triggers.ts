import { parseOnbuildTrigger } from "../dockerfile/parse-dockerfile.ts";
import { linkSteps } from "./link-steps.ts";
import { located } from "./located.ts";
import type { StagePlan, StageTable } from "./stage-plan.ts";

/** Puts the triggers a stage inherits in front of its steps, once. True when it may need other stages now. */
export function addTriggers(plan: StagePlan, table: StageTable): boolean {
  if (plan.stage === null || plan.replacement !== null || plan.hasTriggers) return false;
  plan.hasTriggers = true;
  const triggers = triggersOf(plan).map((expression) =>
    located(plan.location, () => parseOnbuildTrigger(expression, plan.location)),
  );
  const own = plan.steps;
  const needs = plan.dependencies.size;
  plan.steps = [...linkSteps(plan, triggers, table, true), ...own];
  return plan.dependencies.size > needs;
}

/** The ONBUILD texts of the stage it starts from, or of its base image. */
function triggersOf(plan: StagePlan): readonly string[] {
  const { base } = plan;
  if (base !== null && base.replacement === null)
    return base.steps.flatMap(({ instruction }) => (instruction.kind === "onbuild" ? [instruction.expression] : []));
  const resolved = base === null ? plan.resolved : base.resolved;
  return resolved?.kind === "image" ? (resolved.image.config.config.OnBuild ?? []) : [];
}
