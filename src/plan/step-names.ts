import { isBuildError } from "../base/errors.ts";
import { redactUrls } from "../context/redact-url.ts";
import type { EscapeCharacter } from "../dockerfile/directives.ts";
import type { Instruction } from "../dockerfile/instruction.ts";
import { expandWord, type Lookup } from "../dockerfile/word-expansion.ts";
import { WordLexer } from "../dockerfile/word-lexer.ts";
import { formatPlatform, normalizePlatform, type Platform, parsePlatform } from "../image/platform.ts";
import type { EnvironmentDraft } from "./environment-draft.ts";

/** Variables are shown in names, but not all of a value that is longer than this. */
const longestShownValue = 1000;

/** Numbers the steps of a stage for progress: `[linux/amd64 build 2/5] RUN make`. */
export class StepNames {
  readonly #total: number;
  readonly #label: string;
  readonly #showsPlatform: boolean;
  #done = 0;

  /** `label` is the stage's name, "" when there is only one. */
  constructor(total: number, label: string, showsPlatform: boolean) {
    this.#total = total;
    this.#label = label;
    this.#showsPlatform = showsPlatform;
  }

  /** What goes in front of the next step's text; "" in a stage without steps. */
  next(platform: Platform, environment: EnvironmentDraft | null): string {
    if (this.#total === 0) return "";
    this.#done += 1;
    const parts = [
      ...(this.#showsPlatform ? [formatPlatform(platform) + crossSuffix(platform, environment)] : []),
      ...(this.#label === "" ? [] : [this.#label]),
      `${String(this.#done).padStart(String(this.#total).length)}/${this.#total}`,
    ];
    return `[${parts.join(" ")}] `;
  }
}

/** `->arm64`, when a stage declares that it builds for another platform than it runs on. */
function crossSuffix(platform: Platform, environment: EnvironmentDraft | null): string {
  const target = environment === null ? null : declaredTarget(platform, environment);
  if (target === null) return "";
  if (target.os !== platform.os) return `->${formatPlatform(target)}`;
  if (target.architecture === platform.architecture) return "";
  return `->${target.architecture}${target.variant === "" ? "" : `/${target.variant}`}`;
}

function declaredTarget(platform: Platform, environment: EnvironmentDraft): Platform | null {
  const whole = environment.get("TARGETPLATFORM");
  if (whole !== undefined) return platformOrNull(whole);
  const os = environment.get("TARGETOS");
  const architecture = environment.get("TARGETARCH");
  const variant = environment.get("TARGETVARIANT");
  if (os === undefined && architecture === undefined && variant === undefined) return null;
  return normalizePlatform({
    os: os || platform.os,
    architecture: architecture || platform.architecture,
    variant: variant ?? "",
    osVersion: "",
  });
}

function platformOrNull(text: string): Platform | null {
  try {
    return parsePlatform(text);
  } catch (error) {
    if (!isBuildError(error)) throw error;
    return null;
  }
}

/** An instruction as progress shows it: as written, with its variables replaced and without credentials. */
export function displayText(instruction: Instruction, lookup: Lookup, escapeCharacter: EscapeCharacter): string {
  const heredoc = instruction.kind === "run" ? instruction.heredocs[0] : undefined;
  const isScript = instruction.kind === "run" && instruction.command.form === "shell" && heredoc !== undefined;
  const written = isScript ? `${instruction.original} (${summary(heredoc.content)})` : instruction.original;
  const shown: Lookup = (name) => {
    const value = lookup(name);
    return value !== undefined && value.length > longestShownValue ? `${value.slice(0, longestShownValue)}…` : value;
  };
  const text = redactUrls(expandForDisplay(written, instruction.kind === "run", shown, escapeCharacter));
  const keyword = text.split(" ", 1)[0] ?? "";
  return keyword.toUpperCase() + text.slice(keyword.length);
}

/** RUN keeps its quotes and the variables that only the shell knows. */
function expandForDisplay(text: string, isRun: boolean, lookup: Lookup, escapeCharacter: EscapeCharacter): string {
  try {
    if (!isRun) return expandWord(text, lookup, escapeCharacter).text;
    const mode = {
      escape: escapeCharacter,
      keepQuotes: true,
      keepEscapes: false,
      keepUnset: true,
      ignoreQuotes: false,
    };
    return new WordLexer(text, lookup, mode, false).run();
  } catch (error) {
    if (!isBuildError(error)) throw error;
    return text;
  }
}

/** The first line of a script. */
function summary(content: string): string {
  const [first = "", ...rest] = content.trim().split(/\r?\n/);
  return rest.length > 0 ? `${first}...` : first;
}
