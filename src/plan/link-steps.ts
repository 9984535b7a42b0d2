import { BuildError } from "../base/errors.ts";
import type { SourceLocation } from "../base/source-location.ts";
import { csvFields } from "../dockerfile/csv-fields.ts";
import type { Instruction } from "../dockerfile/instruction.ts";
import { expandWord } from "../dockerfile/word-expansion.ts";
import { located } from "./located.ts";
import type { PlannedStep, StagePlan, StageTable } from "./stage-plan.ts";

/** Instructions with the stages and images they read from, which become dependencies of the stage. */
export function linkSteps(
  plan: StagePlan,
  instructions: readonly Instruction[],
  table: StageTable,
  isOnBuild: boolean,
): readonly PlannedStep[] {
  return instructions.map((instruction) => {
    const { location } = instruction;
    const sources = new Map<string, StagePlan>();
    for (const name of located(location, () => sourceNames(instruction))) {
      const source = located(location, () => findSource(instruction, name, table, location));
      sources.set(name, source);
      if (!plan.dependencies.has(source)) plan.dependencies.set(source, location);
    }
    return { instruction, sources, isOnBuild };
  });
}

function sourceNames(instruction: Instruction): readonly string[] {
  if (instruction.kind === "copy") return instruction.from ? [instruction.from] : [];
  if (instruction.kind !== "run") return [];
  return instruction.mounts.map(mountSource).filter((name) => name !== "");
}

/** What a `--mount` names as its source, which holds no variables; "" without one. */
function mountSource(flag: string): string {
  const value = csvFields(flag).findLast((field) => /^from=/i.test(field));
  return value === undefined ? "" : value.slice("from=".length);
}

/** COPY knows stages by name and number, a mount by name only. */
function findSource(instruction: Instruction, name: string, table: StageTable, location: SourceLocation): StagePlan {
  if (instruction.kind === "copy") {
    checkConstant(name);
    if (/^[+-]?\d+$/.test(name)) return table.at(Number(name));
  }
  return table.find(name) ?? table.external(name, location);
}

/** Refuses variables; quotes and escapes count as such, since they would be taken for part of the name. */
function checkConstant(name: string): void {
  if (expandWord(name, () => undefined, "\\").text === name) return;
  throw new BuildError(
    "DOCKERFILE_BAD_FLAG",
    `variable expansion is not supported for --from, got ${JSON.stringify(name)}`,
    {
      hint: "define a new stage with FROM using ARG from global scope",
    },
  );
}
