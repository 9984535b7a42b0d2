import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { ruleNames } from "../../../src/dockerfile/checks/rule-catalog.ts";
import { parseDockerfile } from "../../../src/dockerfile/parse-dockerfile.ts";
import { lintBuild } from "../../../src/plan/lint-build.ts";
import { FakePlanSources } from "./fake-plan-sources.ts";
import { amd64, planInput } from "./plan-input-fixture.ts";

/** Sections of docs/checks.md by rule: the Dockerfiles in them. */
function examples(): ReadonlyMap<string, { readonly bad: string; readonly good: string }> {
  const page = readFileSync(new URL("../../../docs/checks.md", import.meta.url), "utf8");
  return new Map(
    page
      .split(/^## /m)
      .slice(1)
      .map((section) => {
        const example = (kind: string): string =>
          new RegExp(`^\`\`\`dockerfile\\n# ${kind}\\n(.*?)^\`\`\`$`, "ms").exec(section)?.[1] ?? "";
        return [section.split("\n")[0] ?? "", { bad: example("bad"), good: example("good") }];
      }),
  );
}

async function rulesOf(text: string): Promise<readonly string[]> {
  const sources = new FakePlanSources();
  sources.images.set("only-arm64:latest", { platform: { ...amd64, architecture: "arm64" } });
  sources.images.set("busybox:latest", {});
  sources.isIgnored = (path) => path === "ignored";
  const dockerfile = parseDockerfile(Buffer.from(text), "Dockerfile");
  const input = { ...planInput(dockerfile), buildArgs: new Map([["TAG", "latest"]]) };
  const { warnings, error } = await lintBuild(input, sources, new AbortController().signal);
  expect(error).toBeNull();
  return warnings.map(({ rule }) => rule);
}

describe("docs/checks.md", () => {
  const page = examples();

  test("has every rule", () => expect([...page.keys()]).toEqual(ruleNames));

  test.each([...page])("%s: warns of the bad example and not of the good one", async (rule, { bad, good }) => {
    expect(await rulesOf(bad)).toContain(rule);
    expect(good).not.toBe("");
    expect(await rulesOf(good)).toEqual([]);
  });
});
