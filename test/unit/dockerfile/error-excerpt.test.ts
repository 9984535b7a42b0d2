import { describe, expect, test } from "vitest";
import { withFacts } from "../../../src/base/errors.ts";
import { excerptOfError } from "../../../src/dockerfile/error-excerpt.ts";
import { excerptOf } from "../../../src/dockerfile/excerpt.ts";
import { parseDockerfile } from "../../../src/dockerfile/parse-dockerfile.ts";
import { rangesOf } from "../../../src/dockerfile/source-ranges.ts";
import { expandWord } from "../../../src/dockerfile/word-expansion.ts";
import { thrownBy } from "../../support/thrown-by.ts";
import { caseDockerfile, casesIn, expectGolden } from "./golden-file.ts";

const at = (startLine: number, endLine = startLine) => ({ file: "Dockerfile", startLine, endLine });

test.each(casesIn("errors"))("golden: %s", async (name) => {
  const bytes = caseDockerfile("errors", name);
  const error = thrownBy(() => parseDockerfile(bytes, "Dockerfile"));
  const rows = [
    `${error.code}: ${error.message}`,
    `hint: ${error.hint ?? "none"}`,
    `lines: ${error.location?.startLine}-${error.location?.endLine}`,
    await excerptOfError(bytes.toString(), error),
  ];
  expectGolden("errors", name, "error.txt", rows.join("\n"));
});

describe("excerpts", () => {
  test("a location outside of the text has no excerpt", () => {
    expect(excerptOf("FROM a\n", at(9))).toBe("");
  });

  test("escape sequences and text direction marks do not reach the terminal", () => {
    expect(excerptOf("RUN \x1b[31mred\x9b\u202ex\n", at(1))).toBe("   1 | >>> RUN \ufffd[31mred\ufffd\ufffdx\n");
  });

  test("long lines are cut", () => {
    expect(excerptOf(`RUN ${"a".repeat(1000)}\n`, at(1)).length).toBeLessThan(200);
  });

  test("carets keep the tabs before them", () => {
    expect(excerptOf("\tRUM a\n", at(1), { line: 1, startColumn: 2, endColumn: 5 })).toContain("\n     |     \t^^^\n");
  });

  test("an error of an expansion points at the word", async () => {
    const text = "FROM a\nENV OTHER=1 \\\n  NAME=${x^}\n";
    const error = withFacts(
      thrownBy(() => expandWord("${x^}", () => "", "\\")),
      { location: at(2, 3) },
    );
    expect(await excerptOfError(text, error)).toContain("NAME=${x^}\n     |       ^^^^^^^^^^\n");
  });
});

describe("ranges", () => {
  test("comments, blank lines, heredocs and odd escapes do not mislead them", async () => {
    const text = "# escape=`\nFROM a\n  COPY --link `\n# RUN x\n\n a\\ <<E `\n /b # c\nRUN y\nE\n";
    expect(await rangesOf(text, at(3, 9))).toEqual({
      keyword: { line: 3, startColumn: 3, endColumn: 7 },
      arguments: [
        { line: 3, startColumn: 8, endColumn: 14 },
        { line: 6, startColumn: 2, endColumn: 4 },
        { line: 6, startColumn: 5, endColumn: 8 },
        { line: 7, startColumn: 2, endColumn: 4 },
        { line: 7, startColumn: 5, endColumn: 6 },
        { line: 7, startColumn: 7, endColumn: 8 },
      ],
    });
  });

  test("a line without an instruction has none", async () => {
    expect(await rangesOf("\n\nFROM a\n", at(1))).toBeNull();
  });
});
