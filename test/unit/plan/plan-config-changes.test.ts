import { describe, expect, test } from "vitest";
import type { ContainerConfig } from "../../../src/image/image-config.ts";
import { parsePlatform } from "../../../src/image/platform.ts";
import { planConfigChanges } from "../../../src/plan/plan-config-changes.ts";
import { rejectionOf } from "../../support/thrown-by.ts";

const platform = parsePlatform("linux/amd64");
const never = new AbortController().signal;
const base: ContainerConfig = {
  Env: ["PATH=/bin", "A=1"],
  Entrypoint: ["/entry"],
  Cmd: ["serve"],
  WorkingDir: "/srv",
  OnBuild: ["RUN false"],
  Labels: new Map([["a", "b"]]),
};
const change = (...changes: readonly string[]): Promise<ContainerConfig> =>
  planConfigChanges(changes, base, platform, never);

describe("changes of a config", () => {
  test("none leave it as it is", async () => {
    expect(await change()).toEqual(base);
  });

  test.each<readonly [string, string, Partial<ContainerConfig>]>([
    ["see the variables it has", "ENV A=$A$A B=$PATH", { Env: ["PATH=/bin", "A=11", "B=/bin"] }],
    ["go on from its working directory", "WORKDIR app", { WorkingDir: "/srv/app" }],
    ["keep its triggers, which do not run", "ONBUILD RUN true", { OnBuild: ["RUN false", "RUN true"] }],
    ["add to its labels", "LABEL c=d", { Labels: new Map(Object.entries({ a: "b", c: "d" })) }],
    ["of arguments keep its entrypoint", 'CMD ["x"]', { Entrypoint: ["/entry"], Cmd: ["x"] }],
  ])("%s", async (_, text, config) => {
    expect(await change(text)).toMatchObject({ ...base, ...config });
  });

  test.each(["RUN true", "FROM x", "ENV A=1\nENV B=2", "NOTHING", ""])("%j is none", async (text) => {
    expect(await rejectionOf(change(text))).toMatchObject({ code: "USAGE_INVALID" });
  });
});
