import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { isBuildError } from "../../../src/base/errors.ts";
import type { EscapeCharacter } from "../../../src/dockerfile/directives.ts";
import { expandHeredoc, expandWord, expandWords } from "../../../src/dockerfile/word-expansion.ts";
import { thrownBy } from "../../support/thrown-by.ts";

const variables: Readonly<Record<string, string>> = {
  x: "foobarbaz",
  e: "",
  p: "/usr/local/bin",
  s: "one  two",
  é: "accent",
  n: "a\nb",
  d: "$0-$1",
};
const lookup = (name: string): string | undefined => (Object.hasOwn(variables, name) ? variables[name] : undefined);

const rows = readFileSync("fixtures/dockerfile/word-expansion.txt", "utf8")
  .split("\n")
  .filter((line) => line !== "" && !line.startsWith("#"))
  .map((line) => {
    const match = /^(\w+) +([\\`]) {2}("(?:[^"\\]|\\.)*") +(.*)$/.exec(line);
    if (match === null) throw new Error(`unreadable line: ${line}`);
    const [, kind = "", escapeChar = "", input = "", result = ""] = match;
    return { kind, escapeChar: escapeChar as EscapeCharacter, input: JSON.parse(input), result: JSON.parse(result) };
  });

function expand(kind: string, input: string, escapeChar: EscapeCharacter): string | readonly string[] {
  if (kind === "words") return expandWords(input, lookup, escapeChar).words;
  return kind === "heredoc" ? expandHeredoc(input, lookup).text : expandWord(input, lookup, escapeChar).text;
}

test.each(rows)("$kind $escapeChar $input", ({ kind, escapeChar, input, result }) => {
  if (typeof result === "string" || Array.isArray(result)) {
    expect(expand(kind, input, escapeChar)).toEqual(result);
    return;
  }
  const error = thrownBy(() => expand(kind, input, escapeChar));
  expect(error.code).toBe("DOCKERFILE_BAD_SUBSTITUTION");
  expect(error.message).toBe(`${JSON.stringify(input)}: ${result.error}`);
});

describe("variables met", () => {
  test.each([
    ["$x ${u} $x", ["x"], ["u"]],
    ["${u:-$x}", ["x"], ["u"]],
    ["${x:-$u}", ["x"], ["u"]],
    ["${e+$v}", ["e"], ["v"]],
    ["'$x' \\$u", [], []],
    ["${u/$x/$v}", ["x"], ["u", "v"]],
    ["plain", [], []],
  ])("%s", (text, used, unset) => {
    const expansion = expandWord(text, lookup, "\\");
    expect([...expansion.used].sort()).toEqual(used);
    expect([...expansion.unset].sort()).toEqual(unset);
  });
});

describe("limits", () => {
  test("a thousand nested defaults are expanded, more are refused", () => {
    const nested = (depth: number): string => `${"${u:-".repeat(depth)}end${"}".repeat(depth)}`;
    expect(expandWord(nested(900), lookup, "\\").text).toBe("end");
    expect(thrownBy(() => expandWord(nested(2000), lookup, "\\")).code).toBe("DOCKERFILE_TOO_LARGE");
    expect(thrownBy(() => expandWord("${u:-".repeat(1_000_000), lookup, "\\")).code).toBe("DOCKERFILE_TOO_LARGE");
  });

  test.each([
    ["a value many times", "$big".repeat(20)],
    ["a replacement of every character", "${big//a/$big}"],
    ["patterns that match in many ways", "${big##*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b}".repeat(50)],
  ])("refused: %s", (_, text) => {
    const big = "a".repeat(100_000);
    const error = thrownBy(() => expandWord(text, (name) => (name === "big" ? big : undefined), "\\"));
    expect(error.code).toBe("DOCKERFILE_TOO_LARGE");
    expect(error.message.length).toBeLessThan(500);
  });

  test("a long text without variables is not limited", () => {
    const text = "\\a'b'\n".repeat(500_000);
    expect(expandHeredoc(text, lookup).text).toHaveLength(500_000 * 5);
    expect(isBuildError(thrownBy(() => expandHeredoc(`${text}\${`, lookup)))).toBe(true);
  });
});
