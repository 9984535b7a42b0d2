import { isBuildError } from "../base/errors.ts";
import { expandWord } from "../dockerfile/word-expansion.ts";
import type { Platform } from "../image/platform.ts";
import { parseReference } from "../image/reference.ts";
import { evaluateGlobalArgs } from "./global-args.ts";
import type { PlanInput } from "./plan-input.ts";
import type { PlanWarnings } from "./plan-warnings.ts";

/** Finds stages whose base is only valid with build args: InvalidDefaultArgInFrom. */
export function warnOfDefaultBases(input: PlanInput, target: Platform, warnings: PlanWarnings): void {
  const globals = orNull(() => evaluateGlobalArgs(input, target, new Map()));
  if (globals === null) return;
  for (const { from } of input.dockerfile.stages) {
    const base = orNull(() => expandWord(from.base, (name) => globals.values.get(name), input.dockerfile.escape).text);
    if (base === null) return;
    if (orNull(() => parseReference(base)) !== null) continue;
    const message = `Default value for ARG ${from.base} results in empty or invalid base image name`;
    warnings.add("InvalidDefaultArgInFrom", message, from);
  }
}

/** The result of `work`, or null for an error in the Dockerfile: planning itself will report it if it matters. */
function orNull<T>(work: () => T): T | null {
  try {
    return work();
  } catch (error) {
    if (!isBuildError(error)) throw error;
    return null;
  }
}
