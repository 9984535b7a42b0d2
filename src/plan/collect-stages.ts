import { BuildError } from "../base/errors.ts";
import type { InstructionOf } from "../dockerfile/instruction.ts";
import { quoteText } from "../dockerfile/quote-text.ts";
import { didYouMean } from "../dockerfile/suggest-name.ts";
import { expandWord } from "../dockerfile/word-expansion.ts";
import { type Platform, parsePlatform } from "../image/platform.ts";
import type { ContextNames } from "./context-names.ts";
import type { GlobalArgs } from "./global-args.ts";
import { linkSteps } from "./link-steps.ts";
import { located } from "./located.ts";
import type { PlanInput } from "./plan-input.ts";
import type { PlanWarnings } from "./plan-warnings.ts";
import { type StagePlan, StageTable } from "./stage-plan.ts";

/** The stages of a Dockerfile for one target platform, with what FROM says expanded and their sources linked. */
export function collectStages(
  input: PlanInput,
  globals: GlobalArgs,
  contexts: ContextNames,
  target: Platform,
  warnings: PlanWarnings,
): StageTable {
  const table = new StageTable();
  for (const [at, stage] of input.dockerfile.stages.entries()) {
    const { from } = stage;
    const named = located(from.location, () => {
      const baseName = expandFrom(input, globals, from.base, from, warnings);
      if (baseName === "")
        throw new BuildError("STAGE_INVALID", `base name (${from.base}) should not be blank`, {
          hint: "give its ARG a default above the first FROM, or a value with --build-arg",
        });
      return { baseName, platform: expandPlatform(input, globals, from, warnings) };
    });
    const replacement = from.stageName === null ? null : contexts.find(from.stageName, named.platform ?? target);
    table.add({
      stage,
      label: from.stageName ?? `stage-${at}`,
      baseName: named.baseName,
      base: replacement === null ? table.findBase(named.baseName) : null,
      replacement,
      platform: named.platform,
      location: from.location,
      ignoreCache: isUncached(input.noCache, from.stageName),
      steps: [],
      dependencies: new Map(),
      hasTriggers: false,
      resolved: null,
    });
  }
  for (const plan of table.stages)
    if (plan.replacement === null) plan.steps = linkSteps(plan, plan.stage?.instructions ?? [], table, false);
  return table;
}

const isUncached = (noCache: boolean | readonly string[], name: string | null): boolean =>
  typeof noCache === "boolean" ? noCache : name !== null && noCache.some((other) => other.toLowerCase() === name);

function expandFrom(
  input: PlanInput,
  globals: GlobalArgs,
  word: string,
  from: InstructionOf<"from">,
  warnings: PlanWarnings,
): string {
  const { text, unset } = expandWord(word, (name) => globals.values.get(name), input.dockerfile.escape);
  for (const name of unset) {
    if (globals.declared.has(name)) continue;
    const hint = warnings.suggestion(name, [...globals.values.keys(), ...globals.declared.keys()], "");
    warnings.add("UndefinedArgInFrom", `FROM argument '${name}' is not declared${hint}`, from);
  }
  return text;
}

function expandPlatform(
  input: PlanInput,
  globals: GlobalArgs,
  from: InstructionOf<"from">,
  warnings: PlanWarnings,
): Platform | null {
  if (from.platform === null) return null;
  const text = expandFrom(input, globals, from.platform, from, warnings);
  if (text === "")
    throw new BuildError("DOCKERFILE_BAD_FLAG", `empty platform value from expression ${quoteText(from.platform)}`, {
      hint: didYouMean(from.platform.replace(/[${}]/g, ""), globals.values.keys()),
    });
  warnOfPlatform(globals, from, from.platform, text, warnings);
  return parsePlatform(text);
}

/** The two checks of `--platform`: it repeats the default, or it is a constant. */
function warnOfPlatform(
  globals: GlobalArgs,
  from: InstructionOf<"from">,
  written: string,
  text: string,
  warnings: PlanWarnings,
): void {
  if (/^\$(?:TARGETPLATFORM|\{TARGETPLATFORM\})$/.test(written) && text === globals.values.get("TARGETPLATFORM")) {
    const message = `Setting platform to predefined ${written} in FROM is redundant as this is the default behavior`;
    warnings.add("RedundantTargetPlatform", message, from);
  }
  if (written.includes("$")) return;
  const platform = parsePlatform(text);
  const name = from.stageName ?? "";
  if (name.includes(platform.os) || name.includes(platform.architecture)) return;
  warnings.add(
    "FromPlatformFlagConstDisallowed",
    `FROM --platform flag should not use constant value ${JSON.stringify(text)}`,
    from,
  );
}

/** The stage to build. Throws STAGE_NOT_FOUND for a target no stage is named like. */
export function findTarget(input: PlanInput, table: StageTable): StagePlan {
  const last = table.stages.at(-1);
  if (last === undefined) throw new BuildError("DOCKERFILE_SYNTAX", "dockerfile contains no stages to build");
  if (input.target === null || input.target === "") return last;
  const found = table.find(input.target);
  if (found !== null) return found;
  throw new BuildError("STAGE_NOT_FOUND", `target stage ${JSON.stringify(input.target)} could not be found`, {
    hint: didYouMean(input.target, table.names()),
  });
}
