import { describe, expect, test } from "vitest";
import { parseDockerfile } from "../../../src/dockerfile/parse-dockerfile.ts";
import { lintBuild } from "../../../src/plan/lint-build.ts";
import type { PlanInput } from "../../../src/plan/plan-input.ts";
import { FakePlanSources } from "./fake-plan-sources.ts";
import { planInput, planText } from "./plan-input-fixture.ts";

async function warnings(text: string, changes: Partial<PlanInput> = {}, sources = new FakePlanSources()) {
  const graph = await planText(text, changes, sources);
  return graph.warnings.map(({ rule, message, location }) => `${location?.startLine ?? "-"} ${rule}: ${message}`);
}

describe("what planning finds", () => {
  test.each<[string, readonly string[]]>([
    ["FROM scratch\nUSER $NOPE", ["2 UndefinedVar: Usage of undefined variable '$NOPE'"]],
    ["FROM busybox\nENV PATH=$PAHT:/x", ["2 UndefinedVar: Usage of undefined variable '$PAHT' (did you mean $PATH?)"]],
    ["FROM scratch\nARG A\nUSER $A", []],
    ["FROM scratch\nEXPOSE $NOPE", []],
    ["FROM scratch\nARG A=$B", ["2 UndefinedVar: Usage of undefined variable '$B'"]],
    ["FROM scratch\nCOPY <<E /\n$X\nE", ["2 UndefinedVar: Usage of undefined variable '$X'"]],
    ["FROM scratch\nRUN echo $X", []],
    ["FROM scratch\nUSER $A$A\nUSER $BUILDKIT_SBOM_SCAN_STAGE", ["2 UndefinedVar: Usage of undefined variable '$A'"]],
    [
      "ARG TAG=1\nFROM busybox$TAGS",
      ["2 UndefinedArgInFrom: FROM argument 'TAGS' is not declared (did you mean TAG?)"],
    ],
    ["ARG A\nFROM busybox$A", []],
    [
      "FROM scratch\nWORKDIR a\nWORKDIR b",
      ['2 WorkdirRelativePath: Relative workdir "a" can have unexpected results if the base image changes'],
    ],
    ["FROM scratch AS a\nWORKDIR /a\nFROM a\nWORKDIR b", []],
    [
      'FROM scratch\nCMD ["a"]\nENTRYPOINT ["e"]\nCMD ["b"]',
      [
        "2 MultipleInstructionsDisallowed: Multiple CMD instructions should not be used in the same stage because only the last one will be used",
      ],
    ],
    ['FROM scratch AS a\nCMD ["a"]\nFROM a\nCMD ["b"]', []],
    [
      "FROM scratch\nEXPOSE 80/TCP 1.2.3.4:1:81",
      [
        "2 ExposeInvalidFormat: EXPOSE instruction should not define an IP address or host-port mapping, found '1.2.3.4:1:81'",
        "2 ExposeProtoCasing: Defined protocol '80/TCP' in EXPOSE instruction should be lowercase",
      ],
    ],
    [
      "FROM scratch\nCMD x",
      [
        "2 JSONArgsRecommended: JSON arguments recommended for CMD to prevent unintended behavior related to OS signals",
      ],
    ],
    ['FROM scratch AS a\nSHELL ["s"]\nFROM a\nCMD x', []],
    [
      "FROM --platform=$TARGETPLATFORM busybox",
      [
        "1 RedundantTargetPlatform: Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior",
      ],
    ],
    [
      "FROM --platform=linux/arm64 busybox",
      ['1 FromPlatformFlagConstDisallowed: FROM --platform flag should not use constant value "linux/arm64"'],
    ],
    ["FROM --platform=linux/arm64 busybox AS build-arm64", []],
    ["FROM --platform=$BUILDPLATFORM busybox", []],
    ["ARG A=busybox\nARG B\nFROM $A AS one\nFROM $B$A AS two\nFROM one", []],
    ["FROM scratch\nUSER $A\nFROM scratch\n", []],
    ["FROM scratch\n# check=skip=UndefinedVar\nUSER $A\nUSER $B", ["4 UndefinedVar: Usage of undefined variable '$B'"]],
    ["# check=skip=all\nFROM scratch\nUSER $A", []],
  ])("%j", async (text, found) => {
    expect(await warnings(text)).toEqual(found);
  });

  test("a base that is only valid with build args", async () => {
    const buildArgs = new Map([["B", "busybox"]]);
    expect(await warnings("ARG B\nFROM $B", { buildArgs })).toEqual([
      "2 InvalidDefaultArgInFrom: Default value for ARG $B results in empty or invalid base image name",
    ]);
  });

  test("sources that are ignored", async () => {
    const sources = new FakePlanSources();
    sources.isIgnored = (path) => path.startsWith("secret");
    const text = "FROM scratch AS a\nCOPY ./secret/x ok /\nADD /secret /\nFROM a\nCOPY --from=0 secret /";
    expect(await warnings(text, {}, sources)).toEqual([
      '2 CopyIgnoredFile: Attempting to Copy file "secret/x" that is excluded by .dockerignore',
      '3 CopyIgnoredFile: Attempting to Add file "secret" that is excluded by .dockerignore',
    ]);
  });

  test("build args nobody takes", async () => {
    const names = [
      "B",
      "A",
      "USED",
      "GLOBAL",
      "http_proxy",
      "TARGETARCH",
      "BUILDKIT_INLINE_CACHE",
      "SOURCE_DATE_EPOCH",
    ];
    const buildArgs = new Map(names.map((name) => [name, "1"]));
    expect(await warnings("ARG GLOBAL\nFROM scratch AS a\nARG USED\nFROM scratch", { buildArgs })).toEqual([
      "- BuildArgNotConsumed: One or more build-args [A B] were not consumed",
    ]);
  });

  test("findings fail the build when the Dockerfile says so", async () => {
    await expect(planText("# check=error=true\nFROM scratch\nUSER $A")).rejects.toMatchObject({
      code: "DOCKERFILE_CHECK_FAILED",
      location: { startLine: 3 },
    });
  });

  test("BUILDKIT_DOCKERFILE_CHECK takes the place of the directive", async () => {
    const buildArgs = new Map([["BUILDKIT_DOCKERFILE_CHECK", "skip=UndefinedVar"]]);
    expect(await warnings("# check=error=true\nFROM scratch\nUSER $A\nWORKDIR a", { buildArgs })).toEqual([
      '4 WorkdirRelativePath: Relative workdir "a" can have unexpected results if the base image changes',
    ]);
  });
});

describe("lintBuild", () => {
  const lint = async (text: string, changes: Partial<PlanInput> = {}) => {
    const input = { ...planInput(parseDockerfile(Buffer.from(text), "Dockerfile")), ...changes };
    return lintBuild(input, new FakePlanSources(), new AbortController().signal);
  };
  const text = "FROM scratch AS a\nUSER $A\nFROM scratch AS b\nUSER $B";

  test("looks at all stages when no target is named", async () => {
    expect((await lint(text)).warnings.map(({ location }) => location?.startLine)).toEqual([2, 4]);
  });

  test("looks at what the target needs otherwise", async () => {
    expect((await lint(text, { target: "b" })).warnings.map(({ location }) => location?.startLine)).toEqual([4]);
  });

  test("keeps its findings when a build would fail", async () => {
    const result = await lint("FROM scratch\nUSER $A\nENV $B=1");
    expect(result.error).toMatchObject({ code: "DOCKERFILE_BAD_ARGUMENT", location: { startLine: 3 } });
    expect(result.warnings.map(({ message }) => message)).toContain("Usage of undefined variable '$A'");
  });
});
