import { describe, expect, test } from "vitest";
import type { GraphVertex, OpSpec } from "../../../src/plan/build-graph.ts";
import type { PlanInput } from "../../../src/plan/plan-input.ts";
import { amd64, planText } from "./plan-input-fixture.ts";

async function vertices(text: string, changes: Partial<PlanInput> = {}): Promise<readonly GraphVertex[]> {
  return (await planText(text, changes)).vertices;
}

async function specs<K extends OpSpec["kind"]>(
  kind: K,
  text: string,
  changes: Partial<PlanInput> = {},
): Promise<readonly Extract<OpSpec, { kind: K }>[]> {
  const all = (await vertices(text, changes)).map(({ spec }) => spec);
  return all.filter((spec): spec is Extract<OpSpec, { kind: K }> => spec.kind === kind);
}

const runs = async (text: string, changes: Partial<PlanInput> = {}) => specs("run", text, changes);
const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

describe("RUN", () => {
  test.each<[string, string, readonly string[]]>([
    ["shell form", "RUN a  b", ["/bin/sh", "-c", "a  b"]],
    ["exec form", 'RUN ["a","b c"]', ["a", "b c"]],
    ["no arguments", "RUN", ["/bin/sh", "-c", ""]],
    ["after SHELL", 'SHELL ["/bin/bash","-ec"]\nRUN x', ["/bin/bash", "-ec", "x"]],
    ["variables are left to the shell", "ENV A=1\nRUN echo $A", ["/bin/sh", "-c", "echo $A"]],
    ["a lone heredoc is the script", "RUN <<EOF\nx\ny\nEOF", ["/bin/sh", "-c", "x\ny\n"]],
    ["tabs of a dash heredoc go", "RUN <<-EOF\n\t\tx\n\tEOF", ["/bin/sh", "-c", "x\n"]],
    [
      "a heredoc among words goes to the shell",
      "RUN cat <<-A <<B\n\ta\n\tA\nb\nB",
      ["/bin/sh", "-c", "cat <<-A <<B\n\ta\nA\nb\nB"],
    ],
    ["a quoted heredoc name may hold spaces", 'RUN <<"E F"\nx\nE F', ["/bin/sh", "-c", "x\n"]],
    ["a heredoc script of its own", "RUN <<S\n#!/bin/x\nS", ["/bin/sh", "-c", "/dev/pipes/S"]],
  ])("%s", async (_, text, args) => {
    expect((await runs(`FROM busybox\n${text}`))[0]?.args).toEqual(args);
  });

  test("an empty exec form is refused", async () => {
    await expect(runs("FROM busybox\nRUN []")).rejects.toMatchObject({ code: "DOCKERFILE_BAD_ARGUMENT" });
  });

  test("a script of its own is shown below /dev/pipes", async () => {
    const [run] = await runs("FROM busybox\nRUN <<-S\n\t#!/bin/x\n\ty\nS");
    expect(run?.pipes).toEqual([{ name: "S", content: "#!/bin/x\ny\n" }]);
  });

  test("its environment holds ENV and ARG in order of the last assignment", async () => {
    const [run] = await runs("FROM busybox\nENV A=1 B=2\nARG C=3\nARG D\nENV A=4\nRUN x");
    expect(run?.env).toEqual([path, "B=2", "C=3", "A=4"]);
  });

  test("a child stage sees ENV again after inherited ARGs", async () => {
    const [run] = await runs("FROM busybox AS a\nENV E=env\nARG E=arg\nARG F=1\nFROM a\nRUN x");
    expect(run?.env).toEqual(["F=1", path, "E=env"]);
  });

  test("USER, WORKDIR and what the user said about the build are part of the step", async () => {
    const ulimits = [{ name: "nofile", soft: 1, hard: 2 }];
    const extraHosts = [{ name: "h", address: "10.0.0.1" }];
    const changes = { ulimits, extraHosts, shmSizeBytes: 64, network: "none", hostname: "me" } as const;
    const [run] = await runs("FROM busybox\nUSER u:g\nWORKDIR /a//b/\nRUN x", changes);
    expect(run).toMatchObject({
      user: "u:g",
      cwd: "/a/b",
      ulimits,
      extraHosts,
      shmSizeBytes: 64,
      network: "none",
      hostname: "me",
    });
  });

  test("--network of the instruction wins over the build's", async () => {
    const found = await runs("FROM busybox\nRUN --network=none a\nRUN b", {
      network: "host",
    });
    expect(found.map(({ network }) => network)).toEqual(["none", "host"]);
  });

  test("comments, labels and history are not part of it, so equal stages share it", async () => {
    const text =
      "FROM busybox AS a\n# one\nLABEL a=1\nRUN x\nFROM busybox AS b\nCMD y\nRUN x\nFROM scratch\nCOPY --from=a /x /\nCOPY --from=b /x /";
    expect(await runs(text)).toHaveLength(1);
  });

  test.each([
    ["ENV", "ENV A=1\nRUN x", "ENV A=2\nRUN x"],
    ["ARG", "ARG A=1\nRUN x", "ARG A=2\nRUN x"],
    ["USER", "USER a\nRUN x", "USER b\nRUN x"],
    ["cwd", "RUN x", "WORKDIR /w\nRUN x"],
    ["text", "RUN x", "RUN  y"],
    ["mount", "RUN x", "RUN --mount=type=tmpfs,target=/t x"],
    ["network", "RUN x", "RUN --network=none x"],
  ])("a different %s makes a different step", async (_, a, b) => {
    const text = `FROM busybox AS a\n${a}\nFROM busybox AS b\n${b}\nFROM scratch\nCOPY --from=a /x /\nCOPY --from=b /x /`;
    expect(await runs(text)).toHaveLength(2);
  });

  test("proxy build args reach it beside its environment", async () => {
    const buildArgs = new Map([
      ["http_proxy", "p:1"],
      ["NO_PROXY", "x"],
    ]);
    const [run] = await runs("FROM busybox\nENV A=[$http_proxy]\nRUN x", { buildArgs });
    expect(run?.proxyEnv).toEqual(["HTTP_PROXY=p:1", "http_proxy=p:1", "NO_PROXY=x", "no_proxy=x"]);
    expect(run?.env).toEqual([path, "A=[]"]);
  });

  test("an ssh mount sets SSH_AUTH_SOCK last, unless it is set", async () => {
    const [a, b] = await runs("FROM busybox\nRUN --mount=type=ssh x\nENV SSH_AUTH_SOCK=/s\nRUN --mount=type=ssh y");
    expect(a?.env.at(-1)).toBe("SSH_AUTH_SOCK=/run/buildkit/ssh_agent.0");
    expect(b?.env.at(-1)).toBe("SSH_AUTH_SOCK=/s");
  });

  test.each([
    ["--network=host", "network.host"],
    ["--security=insecure", "security.insecure"],
  ] as const)("%s needs an entitlement", async (flag, entitlement) => {
    const text = `FROM busybox\nRUN ${flag} x`;
    await expect(runs(text)).rejects.toMatchObject({ code: "DOCKERFILE_BAD_FLAG", location: { startLine: 2 } });
    expect(await runs(text, { entitlements: [entitlement] })).toHaveLength(1);
  });

  test("BUILDKIT_SANDBOX_HOSTNAME and BUILDKIT_CACHE_MOUNT_NS steer it", async () => {
    const buildArgs = new Map([
      ["BUILDKIT_SANDBOX_HOSTNAME", "box"],
      ["BUILDKIT_CACHE_MOUNT_NS", "ns"],
    ]);
    const [run] = await runs("FROM busybox\nRUN --mount=type=cache,target=/c x", { buildArgs });
    expect(run).toMatchObject({ hostname: "box", mounts: [{ kind: "cache", id: "ns//c" }] });
  });
});

describe("WORKDIR", () => {
  test("makes a step of its own, owned by USER, but not for the root", async () => {
    expect(await specs("workdir", "FROM busybox\nUSER u\nWORKDIR /\nWORKDIR a/../b")).toEqual([
      { kind: "workdir", parent: "v0", path: "/b", user: "u", epoch: null },
    ]);
  });
});

describe("COPY and ADD", () => {
  const paths = { chown: null, chmod: null, parents: false, excludes: [], unpack: "never" } as const;
  const context = { kind: "context", name: "context" } as const;

  test("all paths are one action, heredocs follow", async () => {
    const [copy] = await specs("copy", 'FROM busybox\nENV V=1\nCOPY a <<F b /d/\n$V "\\$V"\nF');
    expect(copy).toEqual({
      kind: "copy",
      parent: "v0",
      instruction: "COPY",
      actions: [
        { kind: "paths", source: context, paths: ["a", "b"], destination: "/d/", ...paths },
        { kind: "inline", name: "F", content: '1 "$V"\n', destination: "/d/", chown: null, chmod: null },
      ],
    });
  });

  test.each([
    [".", "/w/"],
    ['""', "/w/"],
    ["./x", "/w/x"],
    ["x/", "/w/x/"],
    ["x/.", "/w/x/."],
    ["../../../y", "/y"],
    ["/", "/"],
    ["//a//b", "/a/b"],
  ])("destination %s is %s", async (written, absolute) => {
    const text = `FROM busybox\nWORKDIR /w\nCOPY ["f", ${written.startsWith('"') ? written : `"${written}"`}]`;
    const [copy] = await specs("copy", text);
    expect(copy?.actions[0]?.destination).toBe(absolute);
  });

  test("flags are expanded and handed on", async () => {
    const [copy] = await specs(
      "copy",
      "FROM busybox\nARG U=7 M=755\nCOPY --parents --exclude=$U --exclude=*.o --chown=$U:8 --chmod=0$M a /b",
    );
    expect(copy?.actions[0]).toMatchObject({ chown: "7:8", chmod: "0755", parents: true, excludes: ["$U", "*.o"] });
  });

  test("--link makes a layer from nothing and puts it on top", async () => {
    const graph = await planText("FROM busybox\nRUN x\nCOPY --link a /b\nRUN y");
    const [copy] = graph.vertices.filter(({ spec }) => spec.kind === "copy");
    const [merge] = graph.vertices.filter(({ spec }) => spec.kind === "merge");
    expect(copy?.spec).toMatchObject({ parent: null });
    expect(merge?.spec).toEqual({ kind: "merge", parent: "v1", layer: copy?.id });
    expect(graph.vertices.at(-1)?.spec).toMatchObject({ kind: "run", parent: merge?.id });
    expect(merge?.name).toBe("[3/4] LINK COPY --link a /b");
  });

  test.each([
    ["with --chmod it is an ordinary COPY", "FROM busybox\nCOPY --link --chmod=755 a /b"],
    ["on nothing there is nothing to merge with", "FROM scratch\nCOPY --link a /b"],
  ])("--link: %s", async (_, text) => {
    expect(await specs("merge", text)).toEqual([]);
  });

  test("--from reads a stage, an image or nothing", async () => {
    const found = await specs(
      "copy",
      "FROM scratch AS e\nFROM busybox AS B\nRUN x\nFROM scratch\nCOPY --from=b /a /\nCOPY --from=busybox /a /\nCOPY --from=0 /a /",
    );
    expect(found.map(({ actions }) => actions[0]?.kind === "paths" && actions[0].source)).toEqual([
      { kind: "vertex", vertex: "v1" },
      { kind: "vertex", vertex: "v0" },
      { kind: "empty" },
    ]);
  });

  test("ADD unpacks unless told not to", async () => {
    const found = await specs("copy", "FROM scratch\nADD a /\nADD --unpack=false b /\nADD --unpack=true c /");
    expect(found.map(({ actions }) => actions[0]?.kind === "paths" && actions[0].unpack)).toEqual([
      "auto",
      "never",
      "auto",
    ]);
  });

  test("ADD of a URL downloads one file and copies it", async () => {
    const sum = `sha256:${"0".repeat(64)}`;
    const [http, copy] = await vertices(`FROM scratch\nADD --checksum=${sum} https://u:secret@h/x/a%20b?q=1 /d/`);
    expect(http?.spec).toEqual({ kind: "http", url: "https://u:secret@h/x/a%20b?q=1", fileName: "a b", checksum: sum });
    expect(copy?.spec).toMatchObject({
      actions: [{ paths: ["/a b"], source: { kind: "vertex", vertex: "v0" }, unpack: "never" }],
    });
    expect(JSON.stringify([http?.name, copy?.name])).not.toContain("secret");
  });

  test.each([
    ["https://h", "__unnamed__"],
    ["https://h/", "__unnamed__"],
    ["https://h/a/..%2f..", "__unnamed__"],
    ["https://h/a%2Fb", "b"],
    ["https://h/%00", "__unnamed__"],
    ["https://h/a/", "a"],
  ])("ADD %s is named %s", async (url, fileName) => {
    expect(await specs("http", `FROM scratch\nADD ${url} /d/`)).toMatchObject([{ fileName }]);
  });

  test("a downloaded name is never taken for a pattern", async () => {
    const [copy] = await specs("copy", "FROM scratch\nADD https://h/a*[b] /d/");
    expect(copy?.actions[0]).toMatchObject({ paths: ["/a[*][[]b]"] });
  });

  test("ADD of a repository checks it out", async () => {
    const [git] = await specs("git", "FROM scratch\nADD --keep-git-dir https://h/r.git#v1:sub /d/");
    expect(git).toEqual({
      kind: "git",
      url: "https://h/r.git",
      ref: "v1",
      subdir: "sub",
      keepGitDir: true,
      submodules: true,
      checksum: null,
    });
  });

  test("local and remote sources keep their order", async () => {
    const [copy] = await specs("copy", "FROM scratch\nADD a b https://h/c d /d/");
    expect(copy?.actions.map((action) => action.kind === "paths" && action.paths)).toEqual([["a", "b"], ["/c"], ["d"]]);
  });
});

describe("image history", () => {
  test("credentials of a URL do not get into it", async () => {
    const graph = await planText("FROM scratch\nADD https://u:secret@h/x /d/");
    expect(JSON.stringify(graph.images[0]?.history)).not.toContain("secret");
  });

  test("every row of a layer names its vertex", async () => {
    const graph = await planText("FROM busybox\nRUN x\nLABEL a=1\nCOPY --link a /b");
    expect(graph.images[0]?.history).toEqual([
      { kind: "base", row: expect.objectContaining({ createdBy: "base" }) },
      { kind: "layer", vertex: "v1", createdBy: "RUN /bin/sh -c x # buildkit", comment: "buildkit.dockerfile.v0" },
      { kind: "empty", createdBy: "LABEL a=1", comment: "buildkit.dockerfile.v0" },
      {
        kind: "layer",
        vertex: graph.images[0]?.rootfs,
        createdBy: "COPY a /b # buildkit",
        comment: "buildkit.dockerfile.v0",
      },
    ]);
  });

  test("siblings of one base do not share rows", async () => {
    const graph = await planText(
      "FROM busybox AS a\nLABEL a=1\nFROM a AS b\nLABEL b=1\nFROM a\nCOPY --from=b /x /\nLABEL c=1",
    );
    const texts = graph.images[0]?.history.map((row) => (row.kind === "base" ? row.row.createdBy : row.createdBy));
    expect(texts).toEqual(["base", "LABEL a=1", "COPY /x / # buildkit", "LABEL c=1"]);
    expect([...(graph.images[0]?.config.Labels?.keys() ?? [])]).toEqual(["a", "c"]);
  });
});

describe("--no-cache", () => {
  const text = "FROM busybox AS a\nWORKDIR /w\nRUN x\nFROM a AS b\nRUN y\nCOPY f /";

  test.each<[string, boolean | readonly string[], readonly string[]]>([
    ["nothing", false, []],
    ["every RUN, COPY and ADD", true, ["RUN x", "RUN y", "COPY f /"]],
    ["those of one stage", ["A"], ["RUN x"]],
  ])("%s", async (_, noCache, ignored) => {
    const found = (await vertices(text, { noCache })).filter(({ ignoreCache }) => ignoreCache);
    expect(found.map(({ name }) => name.replace(/^\[.*\] /, ""))).toEqual(ignored);
  });
});

describe("progress names", () => {
  test.each<[string, string, readonly string[]]>([
    [
      "one stage has no name",
      "FROM busybox\nENV A=1 B='x y'\nRUN echo $A \"$B\" $C\nWORKDIR /$A",
      ["[1/3] FROM docker.io/library/busybox:latest@sha256:…", '[2/3] RUN echo 1 "x y" $C', "[3/3] WORKDIR /1"],
    ],
    [
      "stages have",
      "FROM busybox AS a\nRUN x\nFROM a\nrun y",
      ["[a 1/2] FROM docker.io/library/busybox:latest@sha256:…", "[a 2/2] RUN x", "[stage-1 1/1] RUN y"],
    ],
    [
      "triggers are marked",
      "FROM busybox AS a\nONBUILD RUN x\nFROM a\nCMD y",
      ["[a 1/1] FROM docker.io/library/busybox:latest@sha256:…", "[stage-1 1/1] ONBUILD RUN x"],
    ],
    ["scripts show their first line", "FROM scratch\nRUN <<E\n\nx\ny\nE", ["[1/1] RUN <<E (x...)"]],
  ])("%s", async (_, text, names) => {
    const found = (await vertices(text)).map(({ name }) => name.replace(/[0-9a-f]{64}/, "…"));
    expect(found).toEqual(names);
  });

  test("several platforms are told apart", async () => {
    const arm = { ...amd64, architecture: "arm64" };
    const found = await vertices(
      "FROM --platform=$BUILDPLATFORM busybox AS b\nARG TARGETPLATFORM\nRUN x\nFROM scratch\nCOPY --from=b /x /",
      {
        multiPlatform: true,
        targetPlatforms: [amd64, arm],
      },
    );
    expect(found.map(({ name }) => name.replace(/@sha256:.*/, ""))).toEqual([
      "[linux/amd64 b 1/2] FROM docker.io/library/busybox:latest",
      "[linux/amd64 b 2/2] RUN x",
      "[linux/amd64 stage-1 1/1] COPY --from=b /x /",
      "[linux/amd64->arm64 b 2/2] RUN x",
      "[linux/arm64 stage-1 1/1] COPY --from=b /x /",
    ]);
  });
});
