import { describe, expect, test } from "vitest";
import {
  defaultCheckOptions,
  failOnFindings,
  isReported,
  parseCheckDirective,
  parseCheckOptions,
} from "../../../src/dockerfile/checks/check-options.ts";
import { checkDockerfile, checkInstruction } from "../../../src/dockerfile/checks/run-checks.ts";
import { parseDockerfile } from "../../../src/dockerfile/parse-dockerfile.ts";
import { thrownBy } from "../../support/thrown-by.ts";

/** All findings of a Dockerfile as `Rule line: message`. */
function findingsIn(text: string, isShellSet = false): string[] {
  const dockerfile = parseDockerfile(Buffer.from(text), "Dockerfile");
  const options = parseCheckDirective(dockerfile.check);
  const instructions = dockerfile.stages.flatMap((stage) => stage.instructions);
  return [
    ...checkDockerfile(dockerfile, options),
    ...instructions.flatMap((instruction) => checkInstruction(instruction, { isShellSet }, options)),
  ].map(({ rule, location, message }) => `${rule} ${location?.startLine}: ${message}`);
}

test.each<[string, string[]]>([
  ["FROM a AS Base\n", ["StageNameCasing 1: Stage name 'Base' should be lowercase"]],
  ["FROM a as base\n", ["FromAsCasing 1: 'as' and 'FROM' keywords' casing do not match"]],
  ["from a AS base\n", ["FromAsCasing 1: 'AS' and 'from' keywords' casing do not match"]],
  ["FROM a\nRUN b \\\n\n  c\n", ["NoEmptyContinuation 4: Empty continuation line"]],
  [
    "FROM a\nRun b\nrun c\n",
    [
      "ConsistentInstructionCasing 2: Command 'Run' should match the case of the command majority (uppercase)",
      "ConsistentInstructionCasing 3: Command 'run' should match the case of the command majority (uppercase)",
    ],
  ],
  [
    "from a\nrun b\nRUN c\n",
    ["ConsistentInstructionCasing 3: Command 'RUN' should match the case of the command majority (lowercase)"],
  ],
  [
    "FROM a AS b\nFROM a AS B2\nFROM a AS b\n",
    [
      "StageNameCasing 2: Stage name 'B2' should be lowercase",
      'DuplicateStageName 3: Duplicate stage name "b", stage names should be unique',
    ],
  ],
  [
    "FROM a AS scratch\nFROM a AS context\n",
    [
      'ReservedStageName 1: Stage name should not use the same name as reserved stage "scratch"',
      'ReservedStageName 2: Stage name should not use the same name as reserved stage "context"',
    ],
  ],
  ["FROM a\nMAINTAINER b\n", ["MaintainerDeprecated 2: Maintainer instruction is deprecated in favor of using label"]],
  [
    "FROM a\nCMD b\nENTRYPOINT b\n",
    [
      "JSONArgsRecommended 2: JSON arguments recommended for CMD to prevent unintended behavior related to OS signals",
      "JSONArgsRecommended 3: JSON arguments recommended for ENTRYPOINT to prevent unintended behavior related to OS signals",
    ],
  ],
  ['FROM a\nCMD ["b"]\nENTRYPOINT []\n', []],
  [
    "FROM a\nENV b c\nLABEL d e\nENV f=g\n",
    [
      'LegacyKeyValueFormat 2: "ENV key=value" should be used instead of legacy "ENV key value" format',
      'LegacyKeyValueFormat 3: "LABEL key=value" should be used instead of legacy "LABEL key value" format',
    ],
  ],
  [
    "FROM a\nARG GITHUB_TOKEN b\nENV auth=1 AUTHOR=2\n",
    [
      'SecretsUsedInArgOrEnv 2: Do not use ARG or ENV instructions for sensitive data (ARG "GITHUB_TOKEN")',
      'SecretsUsedInArgOrEnv 3: Do not use ARG or ENV instructions for sensitive data (ENV "auth")',
    ],
  ],
  ["FROM a\nENV TOKEN_FILE=1 PUBLIC_KEY=2 MONKEY=3 KEYBOARD=4 passwd_version=5\n", []],
  [
    "# check=experimental=all\n# the base\nARG BASE=1\n# b is the builder\nFROM a AS b\n# arguments\nARG c d\n",
    [
      "InvalidDefinitionDescription 3: Comment for ARG should follow the format: `# BASE <description>`",
      "InvalidDefinitionDescription 7: Comment for ARG should follow the format: `# <arg_key> <description>`",
    ],
  ],
  ["# the base\nARG BASE=1\nFROM a\n", []],
])("%j", (text, findings) => {
  expect(findingsIn(text)).toEqual(findings);
});

test("a SHELL says that the shell form is meant", () => {
  expect(findingsIn("FROM a\nCMD b\n", true)).toEqual([]);
});

describe("switching rules off", () => {
  test.each([
    ["all, for the file", "# check=skip=all\nFROM a\nMAINTAINER b\nCMD c\n"],
    [
      "by name, for the file",
      "# check=skip=MaintainerDeprecated, JSONArgsRecommended\nFROM a\n# check=skip=JSONArgsRecommended\nCMD c\n",
    ],
    ["for one instruction", "FROM a\n# why it is so\n# check=skip=MaintainerDeprecated // remark\nMAINTAINER b\n"],
  ])("%s", (_, text) => {
    expect(findingsIn(text)).toEqual([]);
  });

  test("an instruction's comment counts for that instruction only", () => {
    expect(findingsIn("FROM a\n# check=skip=LegacyKeyValueFormat\nENV a b\nENV c d\n")).toHaveLength(1);
  });

  test("a broken comment is no option", () => {
    expect(findingsIn("FROM a\n# check=skpi=all\nENV a b\n")).toHaveLength(1);
  });

  test("an experimental rule is reported on request, by file or instruction", () => {
    const rule = "InvalidDefinitionDescription";
    expect(isReported(rule, defaultCheckOptions, [])).toBe(false);
    expect(isReported(rule, parseCheckOptions(`experimental=${rule}`), [])).toBe(true);
    expect(isReported(rule, defaultCheckOptions, ["check=experimental=all"])).toBe(true);
  });
});

describe("options", () => {
  test("all of them", () => {
    expect(parseCheckOptions(" skip = A , B ; error = True ; experimental = all ")).toEqual({
      skip: new Set(["A", "B"]),
      failsBuild: true,
      experimental: "all",
    });
  });

  test.each([
    ["skp=all", "did you mean skip?"],
    ["skip", undefined],
    ["error=maybe", undefined],
    ["skip=all;", undefined],
  ])("refused: %s", (text, hint) => {
    expect(thrownBy(() => parseCheckOptions(text))).toMatchObject({ code: "DOCKERFILE_BAD_ARGUMENT" });
    if (hint !== undefined) expect(thrownBy(() => parseCheckOptions(text)).hint).toBe(hint);
  });

  test("findings fail the build when the options say so", () => {
    const location = { file: "Dockerfile", startLine: 2, endLine: 2 };
    const findings = ["B", "A", "B"].map((rule) => ({ rule, message: "m", location }));
    expect(() => failOnFindings(findings, defaultCheckOptions)).not.toThrow();
    expect(() => failOnFindings([], parseCheckOptions("error=true"))).not.toThrow();
    expect(thrownBy(() => failOnFindings(findings, parseCheckOptions("error=true")))).toMatchObject({
      code: "DOCKERFILE_CHECK_FAILED",
      message: "lint violation found for rules: A, B",
      location,
    });
  });
});
