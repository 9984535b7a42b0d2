import { BuildError } from "../../base/errors.ts";
import { parseDirectiveText } from "../directives.ts";
import { quoteText } from "../quote-text.ts";
import { didYouMean } from "../suggest-name.ts";
import type { CheckFinding } from "./check-finding.ts";

/** Which checks are reported, and whether a finding fails the build. */
export interface CheckOptions {
  readonly skip: "all" | ReadonlySet<string>;
  readonly experimental: "all" | ReadonlySet<string>;
  readonly failsBuild: boolean;
}

/** Rules that are only reported on request. */
const experimentalRules: ReadonlySet<string> = new Set(["InvalidDefinitionDescription"]);

const none: ReadonlySet<string> = new Set();
const optionNames = ["skip", "error", "experimental"];

/** Everything but the experimental rules is reported, nothing fails. */
export const defaultCheckOptions: CheckOptions = { skip: none, experimental: none, failsBuild: false };

/**
 * The value of the `check` directive or of BUILDKIT_DOCKERFILE_CHECK: `skip=all|A,B;error=true;experimental=all|A`.
 * null and "" are the defaults. Throws DOCKERFILE_BAD_ARGUMENT.
 */
export function parseCheckOptions(text: string | null): CheckOptions {
  let options = defaultCheckOptions;
  const trimmed = (text ?? "").trim();
  if (trimmed === "") return options;
  for (const part of trimmed.split(";")) {
    const equals = part.indexOf("=");
    const name = part.slice(0, Math.max(equals, 0)).trim();
    const value = part.slice(equals + 1).trim();
    if (equals >= 0 && name === "skip") options = { ...options, skip: rulesOf(value) };
    else if (equals >= 0 && name === "experimental") options = { ...options, experimental: rulesOf(value) };
    else if (equals >= 0 && name === "error") options = { ...options, failsBuild: truthOf(value, part) };
    else throw bad(`invalid check option ${quoteText(part)}`, didYouMean(name, optionNames));
  }
  return options;
}

/** The options of the `check` directive, where a space ends the value: what follows is a remark. */
export function parseCheckDirective(value: string | null): CheckOptions {
  return parseCheckOptions(value === null ? null : (value.split(" ")[0] ?? ""));
}

/** Whether a finding of `rule` is reported at an instruction with these comments; `# check=skip=…` among them counts. */
export function isReported(rule: string, options: CheckOptions, comments: readonly string[]): boolean {
  const all = [options, ...commentOptions(comments)];
  if (experimentalRules.has(rule)) return all.some(({ experimental }) => includes(experimental, rule));
  return !all.some(({ skip }) => includes(skip, rule));
}

/** Throws DOCKERFILE_CHECK_FAILED when there are findings and the options ask for it. */
export function failOnFindings(findings: readonly CheckFinding[], options: CheckOptions): void {
  const [first] = findings;
  if (!options.failsBuild || first === undefined) return;
  const rules = [...new Set(findings.map(({ rule }) => rule))].sort();
  throw new BuildError("DOCKERFILE_CHECK_FAILED", `lint violation found for rules: ${rules.join(", ")}`, {
    location: first.location ?? undefined,
    hint: `fix it, or skip it with: # check=skip=${rules.join(",")}`,
  });
}

const includes = (rules: "all" | ReadonlySet<string>, rule: string): boolean => rules === "all" || rules.has(rule);

/** The options of the first `check=` among the comments; a broken one is no option but a comment. */
function commentOptions(comments: readonly string[]): CheckOptions[] {
  const value = comments.map(parseDirectiveText).find((directive) => directive?.name === "check")?.value;
  if (value === undefined) return [];
  try {
    return [parseCheckDirective(value)];
  } catch {
    return [];
  }
}

function rulesOf(value: string): "all" | ReadonlySet<string> {
  return value === "all" ? "all" : new Set(value.split(",").map((rule) => rule.trim()));
}

function truthOf(value: string, part: string): boolean {
  if (/^(?:1|t|true|T|TRUE|True)$/.test(value)) return true;
  if (/^(?:0|f|false|F|FALSE|False)$/.test(value)) return false;
  throw bad(`failed to parse check option ${quoteText(part)}: want true or false`);
}

const bad = (message: string, hint?: string): BuildError =>
  new BuildError("DOCKERFILE_BAD_ARGUMENT", message, { hint });
