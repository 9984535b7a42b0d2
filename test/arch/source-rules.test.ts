import { describe, expect, test } from "vitest";
import { sourceFiles } from "../support/source-files.ts";

const { problemsOf } = (await import(new URL("../../scripts/lint-imports.js", import.meta.url).href)) as {
  /** Problems of one file, as texts. */
  problemsOf(path: string, text: string): readonly string[];
};
const files = sourceFiles();
/** Lines of src/ that match, as `path:line`. */
const linesWith = (pattern: RegExp, except: (path: string) => boolean = () => false): readonly string[] =>
  files
    .filter(({ path }) => !except(path))
    .flatMap(({ path, text }) =>
      text.split("\n").flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}`] : [])),
    );

describe("src/", () => {
  test("imports only leftwards, and packages and processes only where they belong", () => {
    expect(files.length).toBeGreaterThan(100);
    expect(files.flatMap(({ path, text }) => problemsOf(path, text))).toEqual([]);
  });

  test.each([
    ["base/x.ts", 'import { a } from "../cli/main.ts";', /must not import cli/],
    ["engine/x.ts", 'const { a } = await import("../cli/main.ts");', /must not import cli/],
    ["store/x.ts", 'import koffi from "koffi";', /only sys\/native.ts may import koffi/],
    ["store/x.ts", 'import { spawn } from "node:child_process";', /may start processes/],
    ["store/utils.ts", "", /name it after/],
    ["helpers/x.ts", "", /not in the list/],
  ])("the import rule notices %s: %s", (path, text, problem) => {
    expect(problemsOf(path, text).join("\n")).toMatch(problem);
  });

  test("prints only in cli/", () => {
    const printing = /\bconsole\.|process\.std(out|err)\.write/;
    expect(linesWith(printing, (path) => path.startsWith("cli/"))).toEqual([]);
  });

  test("has no default export but the one the worker threads are started with", () => {
    expect(linesWith(/^export default\b/).map((place) => place.split(":")[0])).toEqual(["workers/task-worker.ts"]);
  });

  test("is checked as a whole by the compiler", () => {
    expect(linesWith(/@ts-(ignore|nocheck|expect-error)/)).toEqual([]);
  });

  test("leaves nothing for later", () => {
    expect(linesWith(/\b(TODO|FIXME|XXX|HACK)\b/)).toEqual([]);
  });
});

test("what engine/ exports is documented", () => {
  const engine = files.filter(({ path }) => path.startsWith("engine/"));
  const undocumented = engine.flatMap(({ path, text }) => {
    const lines = text.split("\n");
    return lines.flatMap((line, index) => {
      const name = /^export (?:async )?(?:function|class|interface|const|type) (\w+)/.exec(line)?.[1];
      return name !== undefined && !lines[index - 1]?.trimEnd().endsWith("*/") ? [`${path}: ${name}`] : [];
    });
  });
  expect(engine.length).toBeGreaterThan(5);
  expect(undocumented).toEqual([]);
});
