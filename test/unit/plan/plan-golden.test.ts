import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseDockerfile } from "../../../src/dockerfile/parse-dockerfile.ts";
import type { ContainerConfig } from "../../../src/image/image-config.ts";
import { parsePlatform } from "../../../src/image/platform.ts";
import { planBuild } from "../../../src/plan/plan-build.ts";
import type { PlanInput } from "../../../src/plan/plan-input.ts";
import { FakePlanSources } from "./fake-plan-sources.ts";
import { planInput } from "./plan-input-fixture.ts";

const root = join(import.meta.dirname, "../../../fixtures/plan");

/** What BuildKit made of a case: an error, or the image without what its base brought. */
interface Golden {
  readonly error?: string | null;
  readonly author?: string;
  readonly config?: Record<string, unknown>;
  readonly history?: readonly { readonly created_by: string; readonly empty_layer: boolean }[];
  readonly layers?: number;
}

const cases = readdirSync(root).map((name) => ({
  name,
  golden: JSON.parse(readFileSync(join(root, name, "expected.json"), "utf8")) as Golden,
}));

function inputOf(name: string): PlanInput {
  const dockerfile = parseDockerfile(readFileSync(join(root, name, "Dockerfile")), "Dockerfile");
  const flagsFile = join(root, name, "flags");
  const flags = existsSync(flagsFile) ? readFileSync(flagsFile, "utf8").trimEnd().split("\n") : [];
  const values = (flag: string): string[] =>
    flags.filter((line) => line.startsWith(`--${flag}=`)).map((line) => line.slice(flag.length + 3));
  const pairs = (flag: string): Map<string, string> =>
    new Map(values(flag).map((text) => [text.split("=", 1)[0] ?? "", text.slice(text.indexOf("=") + 1)]));
  return {
    ...planInput(dockerfile),
    buildArgs: pairs("build-arg"),
    labels: pairs("label"),
    target: values("target")[0] ?? null,
    targetPlatforms: values("platform").map(parsePlatform),
    noCache: flags.includes("--no-cache"),
    contextNames: [...pairs("build-context").keys()],
  };
}

/** Errors whose message is meant to be better than BuildKit's. */
const saidOtherwise: ReadonlyMap<string, string> = new Map([
  ["err-copy-chmod-nonsense", "invalid chmod parameter: 'rwz'"],
  ["err-escape-directive-bad-value", 'invalid escape token "x"'],
]);

/** BuildKit's message without what here are location and hint. */
const plainMessage = (message: string): string =>
  message
    .replace(/^(?:dockerfile parse error on line \d+: |failed to process )/, "")
    .replace(/ \(did you mean .*\)$/, "");

const signal = new AbortController().signal;

/** As the goldens have it: only what the docker image spec lists, ports and volumes as objects. */
function goldenConfig(config: ContainerConfig): Record<string, unknown> {
  const { ExposedPorts, Volumes, Labels, ArgsEscaped: _, ...rest } = config;
  const keys = (names: readonly string[] | undefined): Record<string, object> | undefined =>
    names && Object.fromEntries(names.map((name) => [name, {}]));
  return JSON.parse(
    JSON.stringify({
      ...rest,
      ExposedPorts: keys(ExposedPorts),
      Volumes: keys(Volumes),
      Labels: Labels && Object.fromEntries(Labels),
    }),
  );
}

describe("a Dockerfile that BuildKit refuses before it runs anything", () => {
  const refused = cases.filter(({ golden }) => typeof golden.error === "string");
  test.each(refused)("$name", async ({ name, golden }) => {
    const plan = async (): Promise<unknown> => planBuild(inputOf(name), new FakePlanSources(), signal);
    const location = name.startsWith("err-target-") ? undefined : { file: "Dockerfile" };
    await expect(plan()).rejects.toMatchObject({
      name: "BuildError",
      message: expect.stringContaining(saidOtherwise.get(name) ?? plainMessage(golden.error ?? "")),
      location,
    });
  });
});

describe("a Dockerfile that only fails in a step", () => {
  const planned = cases.filter(({ golden }) => golden.error === null);
  test.each(planned)("$name", async ({ name }) => {
    const graph = await planBuild(inputOf(name), new FakePlanSources(), signal);
    expect(graph.vertices.length).toBeGreaterThan(0);
  });
});

describe("config and history are BuildKit's", () => {
  const built = cases.filter(({ golden }) => golden.error === undefined);
  test.each(built)("$name", async ({ name, golden }) => {
    const graph = await planBuild(inputOf(name), new FakePlanSources(), signal);
    const [image] = graph.images;
    const rows = (image?.history ?? []).flatMap((row) =>
      row.kind === "base" ? [] : [{ created_by: row.createdBy, empty_layer: row.kind === "empty" }],
    );
    const comparable = (history: Golden["history"]): unknown =>
      history?.map((row) => (row.created_by.startsWith("HEALTHCHECK ") ? { ...row, created_by: "HEALTHCHECK" } : row));
    expect(goldenConfig(image?.config ?? {})).toEqual(golden.config);
    expect(image?.author).toBe(golden.author);
    expect(comparable(rows)).toEqual(comparable(golden.history));
    expect(rows.filter((row) => !row.empty_layer)).toHaveLength(golden.layers ?? -1);
  });
});
