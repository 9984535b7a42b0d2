import { BuildError } from "../../base/errors.ts";

/** A template that is wrong at character `at` of `source`, as USAGE_INVALID with line and column. */
export function templateFailure(source: string, at: number, problem: string, hint?: string): BuildError {
  const before = source.slice(0, at);
  const line = before.split("\n").length;
  const column = at - (before.lastIndexOf("\n") + 1) + 1;
  return new BuildError("USAGE_INVALID", `template, line ${line}, column ${column}: ${problem}`, {
    hint: hint ?? "docs/commands.md lists what templates can do",
  });
}
