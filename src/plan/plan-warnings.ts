import { type CheckOptions, isReported } from "../dockerfile/checks/check-options.ts";
import { checkInstruction } from "../dockerfile/checks/run-checks.ts";
import type { Instruction } from "../dockerfile/instruction.ts";
import { suggestName } from "../dockerfile/suggest-name.ts";
import type { BuildWarning } from "./build-graph.ts";
import type { EnvironmentDraft } from "./environment-draft.ts";

/** Names are only suggested for the first warnings: each suggestion compares with every known name. */
const maxSuggestions = 50;

type Place = Pick<Instruction, "location" | "comments">;

/** Collects what the build checks find while planning; each finding counts once. */
export class PlanWarnings {
  readonly #options: CheckOptions;
  readonly #found = new Map<string, BuildWarning>();
  #suggested = 0;

  constructor(options: CheckOptions) {
    this.#options = options;
  }

  get list(): readonly BuildWarning[] {
    return [...this.#found.values()];
  }

  /** A finding, unless the Dockerfile or the comments at that place switch its rule off. */
  add(rule: string, message: string, { location, comments }: Place): void {
    if (isReported(rule, this.#options, comments)) this.addAll([{ rule, message, location }]);
  }

  addAll(findings: readonly BuildWarning[]): void {
    for (const finding of findings)
      this.#found.set(`${finding.location?.startLine} ${finding.rule} ${finding.message}`, finding);
  }

  /** What the rules about a single instruction find. */
  check(instruction: Instruction, isShellSet: boolean): void {
    this.addAll(checkInstruction(instruction, { isShellSet }, this.#options));
  }

  addUndefined(name: string, environment: EnvironmentDraft, place: Place): void {
    const suggestion = this.suggestion(name, environment.names(), "$");
    this.add("UndefinedVar", `Usage of undefined variable '$${name}'${suggestion}`, place);
  }

  /** ` (did you mean $NAME?)`, or nothing. */
  suggestion(name: string, names: readonly string[], prefix: string): string {
    if (this.#suggested >= maxSuggestions) return "";
    this.#suggested += 1;
    const match = suggestName(name, names);
    return match === undefined ? "" : ` (did you mean ${prefix}${match}?)`;
  }
}
