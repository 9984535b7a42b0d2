import { describe, expect, test } from "vitest";
import type { BuildGraph } from "../../../src/plan/build-graph.ts";
import type { PlanInput } from "../../../src/plan/plan-input.ts";
import { FakePlanSources } from "./fake-plan-sources.ts";
import { amd64, planText } from "./plan-input-fixture.ts";

const arm64 = { ...amd64, architecture: "arm64" };
const labelsOf = (graph: BuildGraph): unknown => Object.fromEntries(graph.images[0]?.config.Labels ?? []);

describe("targets", () => {
  const text =
    "FROM busybox AS First\nLABEL at=first\nFROM busybox AS second\nLABEL at=second\nFROM first\nLABEL at=last";
  test.each([
    [null, "last"],
    ["", "last"],
    ["first", "first"],
    ["FIRST", "first"],
    ["second", "second"],
  ])("%s builds %s", async (target, label) => {
    expect(labelsOf(await planText(text, { target }))).toEqual({ at: label });
  });

  test.each([
    ["secnd", "did you mean second?"],
    ["0", undefined],
    ["stage-2", undefined],
  ])("%s is refused", async (target, hint) => {
    await expect(planText(text, { target })).rejects.toMatchObject({ code: "STAGE_NOT_FOUND", hint });
  });

  test("only what the target needs is looked up and planned", async () => {
    const sources = new FakePlanSources();
    const graph = await planText(
      `FROM missing AS a\nRUN $\nCOPY --from=gone /x /\nFROM busybox AS b\nUSER \${}\nFROM scratch AS c\nCOPY f /`,
      {},
      sources,
    );
    expect(sources.asked).toEqual([]);
    expect(graph.vertices.map(({ stage }) => stage)).toEqual(["c"]);
  });
});

describe("what FROM means", () => {
  test("a later stage of the same name hides the earlier one", async () => {
    const text = "FROM busybox AS x\nLABEL at=1\nFROM busybox AS x\nLABEL at=2\nFROM x";
    expect(labelsOf(await planText(text))).toEqual({ at: "2" });
  });

  test("a stage name in upper case is an image, and no valid one", async () => {
    await expect(planText("FROM busybox AS ab\nFROM Ab")).rejects.toMatchObject({
      code: "STAGE_INVALID",
      hint: "did you mean ab?",
      location: { startLine: 2 },
    });
  });

  test("variables come from before the first FROM only", async () => {
    const text = `ARG A=busy\nARG B=\${A}box\nFROM $B AS one\nARG C=one\nFROM \${C:-one}\n`;
    const graph = await planText(text);
    expect(graph.warnings.map(({ rule }) => rule)).toContain("UndefinedArgInFrom");
    expect(graph.images[0]?.config.Cmd).toEqual(["sh"]);
  });

  test("equal images are one vertex", async () => {
    const graph = await planText("FROM busybox AS a\nRUN x\nFROM busybox:latest\nCOPY --from=a /x /");
    expect(graph.vertices.filter(({ spec }) => spec.kind === "image")).toHaveLength(1);
  });

  test("--platform picks the image's platform but not that of scratch", async () => {
    const graph = await planText(
      "FROM --platform=linux/arm64 busybox AS a\nFROM --platform=linux/arm64 scratch\nCOPY --from=a /x /",
    );
    expect(graph.vertices[0]?.spec).toMatchObject({ kind: "image", platform: arm64 });
    expect(graph.images[0]?.platform).toEqual(amd64);
  });

  test("an image without layers is an empty file system", async () => {
    const sources = new FakePlanSources();
    sources.images.set("empty:latest", { diffIds: [], history: [], config: { Labels: new Map([["a", "1"]]) } });
    const graph = await planText("FROM empty", {}, sources);
    expect(graph.images[0]).toMatchObject({ rootfs: null, config: { Env: [expect.stringMatching(/^PATH=/)] } });
    expect(labelsOf(graph)).toEqual({ a: "1" });
  });

  test("the config of an image is kept, PATH added, triggers taken out", async () => {
    const sources = new FakePlanSources();
    const config = {
      User: "u",
      WorkingDir: "/w",
      Env: ["A=1"],
      ExposedPorts: ["1/tcp"],
      OnBuild: ["LABEL t=1"],
      Shell: ["s"],
    };
    sources.images.set("app:latest", { config, author: "me" });
    const graph = await planText("FROM app\nRUN x\nCOPY f .", {}, sources);
    expect(graph.images[0]).toMatchObject({
      author: "me",
      config: { User: "u", WorkingDir: "/w", Env: ["A=1", expect.stringMatching(/^PATH=/)], ExposedPorts: ["1/tcp"] },
    });
    expect(graph.images[0]?.config.OnBuild).toBeUndefined();
    expect(labelsOf(graph)).toEqual({ t: "1" });
    expect(graph.vertices[1]?.spec).toMatchObject({ user: "u", cwd: "/w", args: ["s", "x"] });
    expect(graph.vertices[2]?.spec).toMatchObject({ actions: [{ destination: "/w/" }] });
  });

  test("equal images are looked up once", async () => {
    const sources = new FakePlanSources();
    await planText("FROM busybox AS a\nFROM busybox AS b\nCOPY --from=a /x /\nCOPY --from=busybox /x /", {}, sources);
    expect(sources.asked).toEqual(["image busybox:latest"]);
  });

  test("base images are looked up at the same time", async () => {
    const sources = new FakePlanSources();
    let open = 0;
    let most = 0;
    const resolve = sources.resolveImage.bind(sources);
    sources.images.set("other:latest", {});
    sources.resolveImage = async (...args) => {
      open += 1;
      most = Math.max(most, open);
      await Promise.resolve();
      const image = await resolve(...args);
      open -= 1;
      return image;
    };
    await planText("FROM busybox AS a\nFROM other AS b\nCOPY --from=a /x /\nCOPY --from=busybox /x /", {}, sources);
    expect(most).toBe(2);
  });

  test("a missing image is told with its place", async () => {
    await expect(planText("FROM scratch\n\nFROM busyboks")).rejects.toMatchObject({
      code: "SOURCE_NOT_FOUND",
      location: { startLine: 3 },
      hint: "did you mean busybox?",
    });
  });
});

describe("ONBUILD", () => {
  test("triggers run before the child's steps and may need other stages", async () => {
    const sources = new FakePlanSources();
    sources.images.set("base:latest", { config: { OnBuild: ["COPY --from=tool /t /", "RUN <<E\nx\nE\n"] } });
    const graph = await planText("FROM busybox AS tool\nRUN make\nFROM base\nRUN y", {}, sources);
    expect(graph.vertices.map(({ spec }) => spec.kind)).toEqual(["image", "run", "image", "copy", "run", "run"]);
    expect(graph.vertices[3]).toMatchObject({ location: { startLine: 3 } });
  });

  test("triggers of a stage run once and do not reach its grandchildren", async () => {
    const text = "FROM scratch AS a\nONBUILD LABEL n=1\nFROM a AS b\nONBUILD LABEL m=1\nFROM b\n";
    const graph = await planText(text);
    expect(graph.images[0]?.history.map((row) => row.kind !== "base" && row.createdBy)).toEqual([
      "LABEL n=1",
      "LABEL m=1",
    ]);
    expect(graph.images[0]?.config.OnBuild).toBeUndefined();
  });

  test("a trigger that is no instruction is refused at FROM", async () => {
    const sources = new FakePlanSources();
    sources.images.set("base:latest", { config: { OnBuild: ["FROM x"] } });
    await expect(planText("FROM scratch\nFROM base", {}, sources)).rejects.toMatchObject({
      location: { startLine: 2 },
    });
  });
});

describe("named contexts", () => {
  test("those no instruction uses are never touched", async () => {
    const sources = new FakePlanSources();
    await planText("FROM busybox\nCOPY --from=used /x /", { contextNames: ["used", "unused"] }, sources);
    expect(sources.asked).toEqual(["image busybox:latest", "context used"]);
  });

  test("one takes the place of a whole stage, and of what that stage needs", async () => {
    const sources = new FakePlanSources();
    const text = "FROM missing AS dep\nCOPY --from=gone /x /\nFROM scratch\nCOPY --from=dep /x /";
    const graph = await planText(text, { contextNames: ["dep"] }, sources);
    expect(sources.asked).toEqual(["context dep"]);
    expect(graph.vertices).toHaveLength(1);
    expect(graph.vertices[0]?.spec).toMatchObject({ actions: [{ source: { kind: "context", name: "dep" } }] });
  });

  test.each([["busybox"], ["busybox:latest"], ["docker.io/library/busybox"], ["busybox::linux/amd64"]])(
    "%s stands for the image busybox",
    async (name) => {
      const sources = new FakePlanSources();
      await planText("FROM docker.io/library/busybox:latest\nRUN x", { contextNames: [name] }, sources);
      expect(sources.asked).toEqual([`context ${name}`]);
    },
  );

  test.each([["busybox:1"], ["busybox::linux/arm64"], ["scratch"], ["context"]])("%s does not", async (name) => {
    const sources = new FakePlanSources();
    await planText("FROM busybox\nCOPY f /\nFROM scratch\nCOPY --from=0 / /", { contextNames: [name] }, sources);
    expect(sources.asked).toEqual(["image busybox:latest"]);
  });

  test("a directory as a base becomes a layer when a step stands on it", async () => {
    const graph = await planText("FROM tree\nRUN x", { contextNames: ["tree"] });
    expect(graph.vertices.map(({ spec }) => spec.kind)).toEqual(["copy", "run"]);
    expect(graph.vertices[1]?.spec).toMatchObject({ parent: "v0", env: [expect.stringMatching(/^PATH=/)] });
    expect(graph.images[0]?.history.map((row) => row.kind)).toEqual(["layer", "layer"]);
  });

  test("a repository as a base is checked out", async () => {
    const sources = new FakePlanSources();
    const git = {
      kind: "git",
      url: "https://h/r.git",
      ref: "",
      subdir: "",
      keepGitDir: false,
      submodules: true,
      checksum: null,
    } as const;
    sources.contexts.set("src", git);
    const graph = await planText("FROM src\nRUN x", { contextNames: ["src"] }, sources);
    expect(graph.vertices[0]?.spec).toEqual(git);
  });

  test("an image brings its config", async () => {
    const sources = new FakePlanSources();
    sources.images.set("other:latest", { config: { Cmd: ["other"] } });
    sources.contexts.set("base", { kind: "image", image: await sources.resolveImage("other", amd64) });
    const graph = await planText("FROM base", { contextNames: ["base"] }, sources);
    expect(graph.images[0]?.config.Cmd).toEqual(["other"]);
  });
});

describe("platforms", () => {
  test("several make one image each and share equal steps", async () => {
    const text = "FROM --platform=$BUILDPLATFORM busybox AS b\nRUN x\nFROM busybox\nCOPY --from=b /x /";
    const graph = await planText(text, { targetPlatforms: [amd64, arm64], multiPlatform: true });
    expect(graph.images.map(({ platform }) => platform.architecture)).toEqual(["amd64", "arm64"]);
    expect(graph.vertices.map(({ spec }) => spec.kind)).toEqual(["image", "run", "copy", "image", "copy"]);
  });

  test.each<[string, Partial<PlanInput>, string]>([
    ["the image's own, when the user named none", {}, "arm64"],
    ["the one the user asked for", { targetPlatforms: [amd64] }, "amd64"],
  ])("an image has %s", async (_, changes, architecture) => {
    const sources = new FakePlanSources();
    sources.images.set("odd:latest", { platform: arm64 });
    const graph = await planText("FROM odd", changes, sources);
    expect(graph.images[0]?.platform.architecture).toBe(architecture);
    expect(graph.warnings.map(({ rule }) => rule)).toEqual(["InvalidBaseImagePlatform"]);
  });
});

describe("SOURCE_DATE_EPOCH", () => {
  const epoch = (value: string): Partial<PlanInput> => ({ buildArgs: new Map([["SOURCE_DATE_EPOCH", value]]) });
  const stage = "FROM scratch AS src\nARG V=1\nADD https://h/$V.tar /\n";

  test.each<[string, string, Partial<PlanInput>, number | null]>([
    ["a number", "FROM scratch", epoch("17"), 17],
    ["nothing", "ARG SOURCE_DATE_EPOCH=5\nFROM scratch", epoch(""), null],
    ["a global default", "ARG SOURCE_DATE_EPOCH=5\nFROM scratch", {}, 5],
    ["the main context", "FROM scratch", epoch("context"), 100],
    ["a named context", "FROM scratch", { ...epoch("tree"), contextNames: ["tree"] }, 200],
    ["a stage of one remote ADD", `${stage}FROM scratch`, epoch("SRC"), 300],
  ])("%s", async (_, text, changes, seconds) => {
    const sources = new FakePlanSources();
    for (const [name, time] of [
      ["context", 100],
      ["tree", 200],
      ["https://h/1.tar", 300],
    ] as const)
      sources.epochs.set(name, time);
    expect((await planText(text, changes, sources)).epoch).toBe(seconds);
  });

  test("ARG shows the number to steps, WORKDIR takes it as its time", async () => {
    const sources = new FakePlanSources();
    sources.epochs.set("context", 100);
    const graph = await planText("FROM scratch\nARG SOURCE_DATE_EPOCH\nRUN x\nWORKDIR /w", epoch("context"), sources);
    expect(graph.vertices[0]?.spec).toMatchObject({ env: expect.arrayContaining(["SOURCE_DATE_EPOCH=100"]) });
    expect(graph.vertices[1]?.spec).toMatchObject({ epoch: 100 });
  });

  test.each([
    ["nonsense", "FROM scratch", "invalid SOURCE_DATE_EPOCH"],
    ["src", "FROM busybox AS src\nADD https://h/x /", "must use FROM scratch"],
    ["src", "FROM scratch AS src\nRUN x", "unsupported RUN instruction"],
    ["src", "FROM scratch AS src\nADD https://h/x /\nADD https://h/y /", "exactly one remote ADD"],
    ["src", "FROM scratch AS src", "exactly one remote ADD"],
    ["src", "FROM scratch AS src\nADD file /", "single HTTP(S) or Git ADD"],
  ])("%s of %j is refused", async (value, text, message) => {
    await expect(planText(text, epoch(value))).rejects.toThrow(message);
  });
});

describe("errors carry code and place", () => {
  test.each([
    ["FROM scratch AS a\nCOPY --from=b /x /\nFROM scratch AS b\nCOPY --from=a /x /", "STAGE_CYCLE", 4],
    ["FROM scratch\nCOPY --from=1 /x /", "STAGE_NOT_FOUND", 2],
    ["FROM scratch\nCOPY --from=-1 /x /", "STAGE_NOT_FOUND", 2],
    ["FROM scratch\nCOPY --from=$A /x /", "DOCKERFILE_BAD_FLAG", 2],
    ["FROM scratch\nCOPY https://h/x /", "DOCKERFILE_BAD_ARGUMENT", 2],
    ["FROM scratch\nCOPY git@h:x.git /", "DOCKERFILE_BAD_ARGUMENT", 2],
    ["FROM scratch\nADD --checksum=sha256:00 a /", "DOCKERFILE_BAD_FLAG", 2],
    ["FROM scratch\nADD --checksum=sha256:00 https://h/a https://h/b /", "DOCKERFILE_BAD_FLAG", 2],
    ["FROM scratch\nADD --checksum=sha256:00 https://h/a /", "DOCKERFILE_BAD_FLAG", 2],
    ["FROM scratch\nADD --keep-git-dir=false https://h/a.git?keep-git-dir=true /", "DOCKERFILE_BAD_FLAG", 2],
    ["FROM scratch\nCOPY --chmod=64a a /", "DOCKERFILE_BAD_ARGUMENT", 2],
    ['FROM scratch\nCOPY <<"a/b" /\nx\na/b', "DOCKERFILE_BAD_ARGUMENT", 2],
    ["FROM scratch\nRUN <<..\n#!/x\n..", "DOCKERFILE_BAD_ARGUMENT", 2],
    ["FROM scratch\nSTOPSIGNAL SIGNOPE", "DOCKERFILE_BAD_ARGUMENT", 2],
    ["FROM scratch\nENV $X=1", "DOCKERFILE_BAD_ARGUMENT", 2],
    ["FROM scratch\nVOLUME $X", "DOCKERFILE_BAD_ARGUMENT", 2],
    ["FROM --platform=$NOPE scratch", "DOCKERFILE_BAD_FLAG", 1],
    ["FROM --platform=a/b/c/d scratch", "PLATFORM_UNSUPPORTED", 1],
    [`ARG A=\${B?}\nFROM scratch`, "DOCKERFILE_BAD_SUBSTITUTION", 1],
    [`FROM scratch\n\nARG A=\${B:?no}`, "DOCKERFILE_BAD_SUBSTITUTION", 3],
    ["FROM scratch\nRUN --mount=type=cache,target=/ x", "MOUNT_INVALID", 2],
    ["FROM scratch\nRUN --mount=type=ssh,source=/x x", "MOUNT_INVALID", 2],
  ])("%j", async (text, code, line) => {
    await expect(planText(text)).rejects.toMatchObject({ code, location: { startLine: line } });
  });

  test("a failed look-up stops the others", async () => {
    const sources = new FakePlanSources();
    const signals: AbortSignal[] = [];
    const resolve = sources.resolveImage.bind(sources);
    sources.resolveImage = async (name, platform, _location, signal) => {
      if (signal !== undefined) signals.push(signal);
      return resolve(name, platform);
    };
    await expect(planText("FROM missing", {}, sources)).rejects.toMatchObject({ code: "SOURCE_NOT_FOUND" });
    expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
  });

  test("a build arg stands in for a default that would fail", async () => {
    const graph = await planText(`ARG A=\${B?}\nFROM scratch\nARG A\nLABEL a=$A`, { buildArgs: new Map([["A", "1"]]) });
    expect(labelsOf(graph)).toEqual({ a: "1" });
  });
});

describe("size", () => {
  const lines = (count: number, line: (at: number) => string): string =>
    Array.from({ length: count }, (_, at) => line(at)).join("\n");
  const doubled = `FROM scratch\nARG A0=xxxxxxxx\n${lines(16, (at) => `ARG A${at + 1}=$A${at}$A${at}`)}\n`;

  test.each([
    ["ARGs that double", `FROM scratch\nARG A0=xx\n${lines(60, (at) => `ARG A${at + 1}=$A${at}$A${at}`)}`],
    ["a long history", `${doubled}${lines(1000, (at) => `ENV E${at}=$A16`)}`],
    ["long values in every RUN row", `${doubled}${lines(1000, () => "RUN x")}`],
    ["long heredocs", `${doubled}${lines(1000, () => "COPY <<E /x\n$A16\nE")}`],
    ["port ranges", `FROM scratch\n${lines(1000, () => "EXPOSE 0-65535")}`],
  ])("%s are refused before they fill the memory", async (_, text) => {
    await expect(planText(text)).rejects.toMatchObject({ code: "DOCKERFILE_TOO_LARGE" });
  });

  test("a chain of a thousand stages is planned", async () => {
    const text = `FROM scratch AS s0\n${lines(999, (at) => `FROM s${at} AS s${at + 1}\nENV A${at}=x\nRUN echo ${at}`)}`;
    const graph = await planText(text);
    expect(graph.vertices).toHaveLength(999);
  });
});
