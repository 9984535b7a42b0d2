import { type CheckOptions, parseCheckDirective, parseCheckOptions } from "../dockerfile/checks/check-options.ts";
import type { PlanInput } from "./plan-input.ts";

/** The build arg BUILDKIT_DOCKERFILE_CHECK, or else the `check` directive of the Dockerfile. */
export function checkOptionsOf({ buildArgs, dockerfile }: PlanInput): CheckOptions {
  const given = buildArgs.get("BUILDKIT_DOCKERFILE_CHECK");
  return given === undefined ? parseCheckDirective(dockerfile.check) : parseCheckOptions(given);
}
