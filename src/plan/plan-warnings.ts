import type { Instruction } from "../dockerfile/instruction.ts";
import { suggestName } from "../dockerfile/suggest-name.ts";
import type { BuildWarning } from "./build-graph.ts";
import type { EnvironmentDraft } from "./environment-draft.ts";

/** Names are only suggested for the first warnings: each suggestion compares with every known name. */
const maxSuggestions = 50;

/** Collects what planning finds odd but not wrong. */
export class PlanWarnings {
  readonly list: BuildWarning[] = [];
  #suggested = 0;

  add(rule: string, message: string, { location }: Pick<Instruction, "location" | "comments">): void {
    this.list.push({ rule, message, location });
  }

  addUndefined(
    name: string,
    environment: EnvironmentDraft,
    instruction: Pick<Instruction, "location" | "comments">,
  ): void {
    this.add(
      "UndefinedVar",
      `Usage of undefined variable '$${name}'${this.suggestion(name, environment.names(), "$")}`,
      instruction,
    );
  }

  /** ` (did you mean $NAME?)`, or nothing. */
  suggestion(name: string, names: readonly string[], prefix: string): string {
    if (this.#suggested >= maxSuggestions) return "";
    this.#suggested += 1;
    const match = suggestName(name, names);
    return match === undefined ? "" : ` (did you mean ${prefix}${match}?)`;
  }
}
