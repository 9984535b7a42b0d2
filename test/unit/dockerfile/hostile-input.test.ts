import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isBuildError } from "../../../src/base/errors.ts";
import { defaultCheckOptions } from "../../../src/dockerfile/checks/check-options.ts";
import { checkDockerfile } from "../../../src/dockerfile/checks/run-checks.ts";
import { excerptOfError } from "../../../src/dockerfile/error-excerpt.ts";
import { parseDockerfile } from "../../../src/dockerfile/parse-dockerfile.ts";
import { expandWord } from "../../../src/dockerfile/word-expansion.ts";
import { caseDockerfile, casesIn } from "./golden-file.ts";

const lines = (line: string, count: number): string => `${line}\n`.repeat(count);
const mebibyte = 1 << 20;

/** "parsed", or the code of the BuildError; anything else that is thrown fails the test. */
function outcomeOf(text: string | Uint8Array): string {
  try {
    checkDockerfile(parseDockerfile(Buffer.from(text), "Dockerfile"), defaultCheckOptions);
    return "parsed";
  } catch (error) {
    if (isBuildError(error)) return error.code;
    throw error;
  }
}

describe("large input ends soon", () => {
  test.each([
    ["a line of 10 MB", "DOCKERFILE_TOO_LARGE", () => `FROM a\nRUN ${"x".repeat(10 * mebibyte)}`],
    ["a file of 17 MB", "DOCKERFILE_TOO_LARGE", () => lines("#", 9 * mebibyte)],
    ["100,000 continuations", "parsed", () => `FROM a\nRUN x${lines(" \\", 100_000)}`],
    ["100,000 heredocs", "parsed", () => `FROM a\n${lines("RUN <<E\nx\nE", 100_000)}`],
    [
      "100,000 heredocs of one COPY",
      "parsed",
      () => `FROM a\nCOPY ${lines("<<E \\", 100_000)} /x\n${lines("E", 100_000)}`,
    ],
    ["more heredocs of one COPY", "DOCKERFILE_TOO_LARGE", () => `FROM a\nCOPY ${lines("<<E \\", 100_001)} /x\n`],
    ["a million instructions", "DOCKERFILE_TOO_LARGE", () => lines("FROM a", 1_000_000)],
    ["an instruction of 8 MB", "DOCKERFILE_TOO_LARGE", () => `FROM a\nRUN ${lines(`${"x".repeat(8000)}\\`, 1000)}`],
    ["comments", "parsed", () => `${lines("# x", 3_000_000)}FROM a`],
    ["blank lines", "parsed", () => `${lines("", 10_000_000)}FROM a`],
    ["NULs", "DOCKERFILE_TOO_LARGE", () => "\0".repeat(15 * mebibyte)],
    ["an unclosed quote", "parsed", () => `FROM a\nENV ${lines(`${'"'.repeat(60_001)}\\`, 60)}a=b`],
    ["nested JSON", "parsed", () => `FROM a\nRUN ${lines(`${"[".repeat(60_000)}\\`, 60)}`],
    ["nested ONBUILD", "DOCKERFILE_BAD_ARGUMENT", () => `FROM a\n${lines(`${"ONBUILD ".repeat(7000)}\\`, 60)}`],
    ["nested substitutions", "parsed", () => `FROM a\nRUN <<${lines(`${"${a:-".repeat(12_000)}\\`, 60)}`],
    ["a directive with blanks", "DOCKERFILE_SYNTAX", () => `# escape=a${" ".repeat(60_000)}b\nFROM a`],
  ])("%s", (_, outcome, make) => {
    const text = make();
    const start = performance.now();
    expect(outcomeOf(text)).toBe(outcome);
    expect(performance.now() - start).toBeLessThan(60_000);
  });
});

const pieces = [
  ..."\\`'\"$#<>[]{}=:-/* \t\r\n\v\0é😀",
  ...["\n", "\\\n", "FROM a\n", "\nRUN ", "\nCOPY ", "\nENV ", "\nONBUILD ", "\nHEALTHCHECK ", "\nARG ", "\nLABEL "],
  ...["<<EOF", "<<-'E'", "\nEOF\n", "--mount=type=cache", " --link", '["a","b"]', "${x:-", "# escape=`\n", "\ufeff"],
];
const dockerfileLike = fc.array(fc.constantFrom(...pieces), { maxLength: 60 }).map((parts) => parts.join(""));
const mutatedCase = fc
  .tuple(
    fc.constantFrom(...casesIn("parse").map((name) => caseDockerfile("parse", name).toString())),
    fc.array(fc.tuple(fc.nat(2000), fc.nat(5), fc.constantFrom(...pieces)), { maxLength: 8 }),
  )
  .map(([text, edits]) =>
    edits.reduce((edited, [at, removed, piece]) => {
      const start = at % (edited.length + 1);
      return edited.slice(0, start) + piece + edited.slice(start + removed);
    }, text),
  );

describe("whatever the input, only BuildErrors are thrown", () => {
  test("random bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), (bytes) => {
        outcomeOf(bytes);
      }),
      { numRuns: 500 },
    );
  });

  test("text that resembles a Dockerfile, and mutated Dockerfiles; their errors have a place and an excerpt", async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(dockerfileLike, mutatedCase), async (text) => {
        try {
          parseDockerfile(Buffer.from(text), "Dockerfile");
        } catch (error) {
          if (!isBuildError(error)) throw error;
          expect(error.location?.startLine).toBeGreaterThan(0);
          expect(error.location?.endLine).toBeGreaterThanOrEqual(error.location?.startLine ?? 0);
          expect(typeof (await excerptOfError(text, error))).toBe("string");
        }
      }),
      { numRuns: 500 },
    );
  });

  test("words", () => {
    fc.assert(
      fc.property(dockerfileLike, (text) => {
        try {
          expandWord(text, (name) => (name === "x" ? "value" : undefined), "\\");
        } catch (error) {
          if (!isBuildError(error)) throw error;
        }
      }),
      { numRuns: 500 },
    );
  });
});
