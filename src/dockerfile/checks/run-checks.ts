import type { Dockerfile, Instruction } from "../instruction.ts";
import type { CheckFinding, FileRule, InstructionContext, InstructionRule } from "./check-finding.ts";
import { type CheckOptions, isReported } from "./check-options.ts";
import { consistentInstructionCasing } from "./consistent-instruction-casing.ts";
import { duplicateStageName } from "./duplicate-stage-name.ts";
import { fromAsCasing } from "./from-as-casing.ts";
import { invalidDefinitionDescription } from "./invalid-definition-description.ts";
import { jsonArgsRecommended } from "./json-args-recommended.ts";
import { legacyKeyValueFormat } from "./legacy-key-value-format.ts";
import { maintainerDeprecated } from "./maintainer-deprecated.ts";
import { noEmptyContinuation } from "./no-empty-continuation.ts";
import { reservedStageName } from "./reserved-stage-name.ts";
import { secretsUsedInArgOrEnv } from "./secrets-used-in-arg-or-env.ts";
import { stageNameCasing } from "./stage-name-casing.ts";

const fileRules: readonly FileRule[] = [
  noEmptyContinuation,
  maintainerDeprecated,
  stageNameCasing,
  fromAsCasing,
  invalidDefinitionDescription,
  reservedStageName,
  duplicateStageName,
  consistentInstructionCasing,
];

const instructionRules: readonly InstructionRule[] = [jsonArgsRecommended, legacyKeyValueFormat, secretsUsedInArgOrEnv];

/** What the rules about the whole file find, all stages included. */
export function checkDockerfile(dockerfile: Dockerfile, options: CheckOptions): CheckFinding[] {
  return fileRules.flatMap((rule) =>
    rule
      .find(dockerfile)
      .filter(({ at }) => isReported(rule.name, options, at.comments))
      .map(({ message, at }) => ({ rule: rule.name, message, location: at.location })),
  );
}

/** What the rules about one instruction find; for the instructions of the stages that are built, triggers included. */
export function checkInstruction(
  instruction: Instruction,
  context: InstructionContext,
  options: CheckOptions,
): CheckFinding[] {
  return instructionRules.flatMap((rule) =>
    rule
      .find(instruction, context)
      .filter(() => isReported(rule.name, options, instruction.comments))
      .map((message) => ({ rule: rule.name, message, location: instruction.location })),
  );
}
