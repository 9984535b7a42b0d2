import type { BuildError } from "../base/errors.ts";
import type { SourceLocation } from "../base/source-location.ts";
import { ruleFacts } from "../dockerfile/checks/rule-catalog.ts";
import { excerptOf } from "../dockerfile/excerpt.ts";
import type { CheckReport, DescribedFile } from "../engine/describe-build.ts";
import type { BuildWarning } from "../plan/build-graph.ts";
import type { BuildTarget } from "../plan/list-targets.ts";
import type { BuildOutline } from "../plan/outline-build.ts";
import { formatTable } from "./format-table.ts";
import { toPlainText } from "./progress/plain-text.ts";

const rule = `${"-".repeat(20)}\n`;

/** What checks found: each finding with the lines of the Dockerfile it is about. A build error is not shown here. */
export function renderCheck({ dockerfile, warnings, error }: CheckReport): string {
  if (warnings.length === 0) return error === null ? "Check complete, no warnings found.\n" : "";
  const count = warnings.length === 1 ? "1 warning has" : `${warnings.length} warnings have`;
  const text = Buffer.from(dockerfile.bytes).toString("utf8");
  return `Check complete, ${count} been found!\n${[...warnings]
    .sort((a, b) => lineOf(a) - lineOf(b))
    .map((warning) => renderWarning(warning, text))
    .join("")}`;
}

const lineOf = ({ location }: BuildWarning): number => location?.startLine ?? 0;

function renderWarning({ rule: name, message, location }: BuildWarning, text: string): string {
  const { url } = ruleFacts(name);
  const title = `\nWARNING: ${name}${url === "" ? "" : ` - ${url}`}\n${toPlainText(message)}\n`;
  if (location === null) return title;
  return `${title}${toPlainText(location.file)}:${location.startLine}\n${rule}${excerptOf(text, location)}${rule}`;
}

/** What a target takes, as tables. */
export function renderOutline({ target, description, args, secrets, ssh }: BuildOutline): string {
  const parts: string[] = [];
  if (target !== null || description !== "") {
    const lines = [["TARGET:", target ?? "(default)"], ...(description === "" ? [] : [["DESCRIPTION:", description]])];
    parts.push(lines.map(([name = "", value = ""]) => `${name.padEnd(13)}${toPlainText(value)}\n`).join(""));
  }
  if (args.length > 0) {
    const rows = args.map(({ name, value, description }) => [name, value ?? "", description].map(toPlainText));
    parts.push(formatTable(["BUILD ARG", "VALUE", "DESCRIPTION"], rows));
  }
  for (const [title, mounts] of [
    ["SECRET", secrets],
    ["SSH", ssh],
  ] as const) {
    const rows = mounts.map(({ id, required }) => [toPlainText(id), required ? "true" : ""]);
    if (rows.length > 0) parts.push(formatTable([title, "REQUIRED"], rows));
  }
  return parts.map((part) => `${part}\n`).join("");
}

/** The stages that can be built, as a table. */
export function renderTargets(targets: readonly BuildTarget[]): string {
  const rows = targets.map(({ name, isDefault, description }) => {
    const shown = name === null ? (isDefault ? "(default)" : "") : `${name}${isDefault ? " (default)" : ""}`;
    return [shown, toPlainText(description)];
  });
  return formatTable(["TARGET", "DESCRIPTION"], rows);
}

/** BuildKit's `result.json` of frontend.lint. */
export function checkAsJson({ dockerfile, warnings, error }: CheckReport): string {
  return toJson({
    warnings: warnings.map(({ rule: ruleName, message: detail, location }) => ({
      ruleName,
      ...withoutEmpty(ruleFacts(ruleName)),
      detail,
      location: jsonLocation(location),
    })),
    sources: [{ filename: dockerfile.path, language: "Dockerfile", data: base64(dockerfile) }],
    buildError: error === null ? undefined : jsonError(error),
  });
}

const jsonError = ({ message, location }: BuildError) => ({ message, location: jsonLocation(location ?? null) ?? {} });

/** BuildKit's `result.json` of frontend.outline. */
export function outlineAsJson(outline: BuildOutline, dockerfile: DescribedFile): string {
  const mounts = (given: BuildOutline["secrets"]) =>
    given.map(({ id, required, location }) => ({
      name: id,
      required: required || undefined,
      location: jsonLocation(location),
    }));
  return toJson({
    ...withoutEmpty({ name: outline.target ?? "", description: outline.description }),
    args: unlessEmpty(
      outline.args.map(({ name, description, value, location }) => ({
        name,
        ...withoutEmpty({ description, value: value ?? "" }),
        location: jsonLocation(location),
      })),
    ),
    secrets: unlessEmpty(mounts(outline.secrets)),
    ssh: unlessEmpty(mounts(outline.ssh)),
    sources: [base64(dockerfile)],
  });
}

/** BuildKit's `result.json` of frontend.targets. */
export function targetsAsJson(targets: readonly BuildTarget[], dockerfile: DescribedFile): string {
  return toJson({
    targets: targets.map(({ name, isDefault, description, base, platform, location }) => ({
      ...withoutEmpty({ name: name ?? "" }),
      default: isDefault || undefined,
      ...withoutEmpty({ description, base, platform: platform ?? "" }),
      location: jsonLocation(location),
    })),
    sources: [base64(dockerfile)],
  });
}

const toJson = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

const base64 = ({ bytes }: DescribedFile): string => Buffer.from(bytes).toString("base64");

const unlessEmpty = <T>(items: readonly T[]): readonly T[] | undefined => (items.length === 0 ? undefined : items);

/** Go's `omitempty`. */
const withoutEmpty = (texts: object): object =>
  Object.fromEntries(Object.entries(texts).filter(([, text]) => text !== ""));

/** Longer instructions are one range: many warnings about one would fill the memory otherwise. */
const mostRanges = 1000;

/** A location as BuildKit's protocol buffers have it: a range for each line. */
function jsonLocation(location: SourceLocation | null): object | undefined {
  if (location === null) return undefined;
  const { startLine, endLine } = location;
  const count = endLine - startLine + 1;
  if (count > mostRanges) return { ranges: [{ start: { line: startLine }, end: { line: endLine } }] };
  const lines = Array.from({ length: count }, (_, at) => ({ line: startLine + at }));
  return { ranges: lines.map((line) => ({ start: line, end: line })) };
}
