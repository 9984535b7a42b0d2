import type { InstructionOf } from "../dockerfile/instruction.ts";
import { hiddenArgs } from "./hidden-args.ts";
import type { StepScope } from "./step-scope.ts";

/**
 * The value is, in this order: the build arg, the default given here, the value from before the first FROM. Defaults of
 * one line see the ARGs left of them.
 */
export function planArg(step: StepScope, { args }: InstructionOf<"arg">): void {
  const { draft, build } = step;
  const shown = args.map(({ key, value: written }) => {
    const given = build.buildArgs.get(key);
    const value = given ?? (written === null ? build.globalArgs.get(key) : step.expand(written)) ?? null;
    if (value !== null && !hiddenArgs.has(key)) draft.environment.set(key, value);
    draft.args.set(key, value);
    return value === null ? key : `${key}=${value}`;
  });
  draft.addEmptyRow(`ARG ${shown.join(" ")}`);
}
