import { describe, expect, test } from "vitest";
import { type CacheKey, type DiffId, digestOf } from "../../../src/base/digest.ts";
import type { RunMount } from "../../../src/plan/build-graph.ts";
import {
  copyKey,
  gitKey,
  httpKey,
  imageKey,
  mergeKey,
  type ReadContent,
  readsOfCopy,
  readsOfRun,
  runKey,
  workdirKey,
} from "../../../src/steps/step-key.ts";
import type { SpecOf } from "../../../src/steps/step-op.ts";

const key = (text: string): CacheKey => digestOf(text) as string as CacheKey;
const content = (text: string): ReadContent => ({ by: "content", digest: digestOf(text) });
const definition = (text: string): ReadContent => ({ by: "definition", key: key(text) });
const context = { kind: "context", name: "context" } as const;

const bind: RunMount = { kind: "bind", source: context, path: "/src", target: "/src", readOnly: true };
const cache: RunMount = {
  kind: "cache",
  id: "id",
  target: "/cache",
  sharing: "shared",
  readOnly: false,
  seed: null,
  mode: null,
  uid: null,
  gid: null,
};
const seeded: RunMount = { ...cache, seed: { source: context, path: "/" } };
const tmpfs: RunMount = { kind: "tmpfs", target: "/t", sizeBytes: null };
const secret: RunMount = {
  kind: "secret",
  id: "s",
  target: "/run/secrets/s",
  env: null,
  required: false,
  mode: 0o400,
  uid: 0,
  gid: 0,
};
const ssh: RunMount = {
  kind: "ssh",
  id: "default",
  target: "/run/agent",
  required: false,
  mode: 0o600,
  uid: 0,
  gid: 0,
};

const run: SpecOf<"run"> = {
  kind: "run",
  parent: "v0",
  args: ["/bin/sh", "-c", "make"],
  env: ["PATH=/bin", "A=1"],
  proxyEnv: [],
  cwd: "/",
  user: "",
  mounts: [bind, seeded, tmpfs, secret, ssh],
  network: "default",
  security: "sandbox",
  hostname: "h",
  extraHosts: [{ name: "db", address: "10.0.0.1" }],
  shmSizeBytes: null,
  ulimits: [{ name: "nofile", soft: 1, hard: 2 }],
  pipes: [{ name: "EOF", content: "#!/bin/sh\n" }],
  platform: { os: "linux", architecture: "amd64", variant: "", osVersion: "" },
};
const runReads = [content("sources"), content("seed")];
const keyOfRun = (changes: Partial<SpecOf<"run">> = {}, parent = key("parent"), reads = runReads): CacheKey =>
  runKey({ ...run, ...changes }, parent, reads).key;
const withMount = (position: number, changes: object): Partial<SpecOf<"run">> => ({
  mounts: run.mounts.map((mount, at) => (at === position ? ({ ...mount, ...changes } as RunMount) : mount)),
});

describe("the key of RUN changes with", () => {
  test.each<[string, CacheKey]>([
    ["the arguments", keyOfRun({ args: ["/bin/sh", "-c", "make all"] })],
    ["where one argument ends", keyOfRun({ args: ["/bin/sh", "-c make"] })],
    ["a variable's value", keyOfRun({ env: ["PATH=/bin", "A=2"] })],
    ["the order of variables", keyOfRun({ env: ["A=1", "PATH=/bin"] })],
    ["the working directory", keyOfRun({ cwd: "/w" })],
    ["the user", keyOfRun({ user: "1000" })],
    ["the network", keyOfRun({ network: "none" })],
    ["the security mode", keyOfRun({ security: "insecure" })],
    ["the host name", keyOfRun({ hostname: "other" })],
    ["the name of an extra host", keyOfRun({ extraHosts: [{ name: "db2", address: "10.0.0.1" }] })],
    ["the size of /dev/shm", keyOfRun({ shmSizeBytes: 1 })],
    ["a limit", keyOfRun({ ulimits: [{ name: "nofile", soft: 1, hard: 3 }] })],
    ["a heredoc script", keyOfRun({ pipes: [{ name: "EOF", content: "#!/bin/ash\n" }] })],
    ["the architecture", keyOfRun({ platform: { ...run.platform, architecture: "arm64" } })],
    ["the variant", keyOfRun({ platform: { ...run.platform, variant: "v7" } })],
    ["the parent", keyOfRun({}, key("another parent"))],
    ["no parent", runKey(run, null, runReads).key],
    ["what a bind mount shows", keyOfRun({}, key("parent"), [content("changed"), content("seed")])],
    ["what a cache begins with", keyOfRun({}, key("parent"), [content("sources"), content("changed")])],
    ["a bind mount's target", keyOfRun(withMount(0, { target: "/other" }))],
    ["a bind mount becoming writable", keyOfRun(withMount(0, { readOnly: false }))],
    ["a cache mount's target", keyOfRun(withMount(1, { target: "/other" }))],
    ["a cache mount becoming read-only", keyOfRun(withMount(1, { readOnly: true }))],
    ["a tmpfs's size", keyOfRun(withMount(2, { sizeBytes: 5 }))],
    ["a secret's id", keyOfRun(withMount(3, { id: "other" }))],
    ["a secret's variable", keyOfRun(withMount(3, { env: "TOKEN" }))],
    ["a secret's mode", keyOfRun(withMount(3, { mode: 0o444 }))],
    ["a secret becoming required", keyOfRun(withMount(3, { required: true }))],
    ["an agent's target", keyOfRun(withMount(4, { target: "/other" }))],
    ["a mount less", keyOfRun({ mounts: run.mounts.slice(0, 4) })],
  ])("%s", (_, changed) => {
    expect(changed).not.toBe(keyOfRun());
  });
});

describe("the key of RUN does not change with", () => {
  test.each<[string, CacheKey]>([
    ["proxy variables", keyOfRun({ proxyEnv: ["HTTP_PROXY=http://p"] })],
    ["the address of an extra host", keyOfRun({ extraHosts: [{ name: "db", address: "10.0.0.2" }] })],
    ["the id of a cache", keyOfRun(withMount(1, { id: "other" }))],
    ["the sharing of a cache", keyOfRun(withMount(1, { sharing: "locked" }))],
    ["the name of its parent vertex", keyOfRun({ parent: "v9" })],
    ["where a bind mount's content lies", keyOfRun(withMount(0, { path: "/elsewhere" }))],
  ])("%s", (_, changed) => {
    expect(changed).toBe(keyOfRun());
  });
});

const paths = {
  kind: "paths",
  source: context,
  paths: ["a/file", "b/"],
  destination: "/dst/",
  chown: null,
  chmod: null,
  parents: false,
  excludes: [],
  unpack: "never",
} as const;
const inline = { kind: "inline", name: "EOF", content: "text", destination: "/f", chown: null, chmod: null } as const;
const copy: SpecOf<"copy"> = { kind: "copy", parent: "v0", instruction: "COPY", actions: [paths, inline] };
const keyOfCopy = (
  changes: object = {},
  inlineChanges: object = {},
  reads: readonly ReadContent[] = [content("x")],
): CacheKey =>
  copyKey(
    { ...copy, actions: [{ ...paths, ...changes } as typeof paths, { ...inline, ...inlineChanges } as typeof inline] },
    key("parent"),
    reads,
  ).key;

describe("the key of COPY changes with", () => {
  test.each<[string, CacheKey]>([
    ["what is copied", keyOfCopy({}, {}, [content("y")])],
    ["the name of a source", keyOfCopy({ paths: ["a/other", "b/"] })],
    ["the number of sources", keyOfCopy({ paths: ["a/file"] })],
    ["the destination", keyOfCopy({ destination: "/dst" })],
    ["the owner", keyOfCopy({ chown: "1000" })],
    ["the mode", keyOfCopy({ chmod: "0644" })],
    ["--parents", keyOfCopy({ parents: true })],
    ["--exclude", keyOfCopy({ excludes: ["*.o"] })],
    ["ADD's unpacking", keyOfCopy({ unpack: "auto" })],
    ["a heredoc's text", keyOfCopy({}, { content: "other" })],
    ["a heredoc's name", keyOfCopy({}, { name: "OTHER" })],
    ["a heredoc's mode", keyOfCopy({}, { chmod: "0600" })],
    ["the parent", copyKey(copy, key("another parent"), [content("x")]).key],
    ["no parent (--link)", copyKey(copy, null, [content("x")]).key],
    ["reading by definition", keyOfCopy({}, {}, [definition("x")])],
  ])("%s", (_, changed) => {
    expect(changed).not.toBe(keyOfCopy());
  });
});

test("the key of COPY does not change with the folder a source lies in, unless that appears at the destination", () => {
  expect(keyOfCopy({ paths: ["moved/file", "moved/b"] })).toBe(keyOfCopy());
  expect(keyOfCopy({ parents: true, paths: ["moved/file", "b"] })).not.toBe(keyOfCopy({ parents: true }));
});

test("read by definition, the whole path counts", () => {
  const reads = [definition("stage")];
  const mounted = [definition("stage"), definition("seed")];
  const parent = key("parent");
  expect(keyOfRun(withMount(0, { path: "/elsewhere" }), parent, mounted)).not.toBe(keyOfRun({}, parent, mounted));
  const elsewhere = withMount(1, { seed: { source: context, path: "/elsewhere" } });
  expect(keyOfRun(elsewhere, parent, mounted)).not.toBe(keyOfRun({}, parent, mounted));
  expect(keyOfCopy({ paths: ["moved/file", "b/"] }, {}, reads)).not.toBe(keyOfCopy({}, {}, reads));
});

test("an ADD that does what a COPY does has its key", () => {
  expect(copyKey({ ...copy, instruction: "ADD" }, key("parent"), [content("x")]).key).toBe(keyOfCopy());
});

test("steps read trees in the order their keys take them", () => {
  expect(readsOfRun(run)).toEqual([
    { source: context, paths: ["/src"] },
    { source: context, paths: ["/"] },
  ]);
  expect(readsOfCopy(copy)).toEqual([{ source: context, paths: ["a/file", "b/"] }]);
});

test("every kind of step has keys of its own", () => {
  const workdir: SpecOf<"workdir"> = { kind: "workdir", parent: null, path: "/w", user: "", epoch: null };
  const http: SpecOf<"http"> = { kind: "http", url: "https://h/f", fileName: "f", checksum: null };
  const git: SpecOf<"git"> = {
    kind: "git",
    url: "https://h/r.git",
    ref: "main",
    subdir: "",
    keepGitDir: false,
    submodules: true,
    checksum: null,
  };
  const commit = "a".repeat(40);
  const keys = [
    imageKey([]).key,
    imageKey([digestOf("layer") as string as DiffId]).key,
    workdirKey(workdir, null).key,
    workdirKey({ ...workdir, path: "/x" }, null).key,
    workdirKey({ ...workdir, user: "1000" }, null).key,
    workdirKey({ ...workdir, epoch: 0 }, null).key,
    workdirKey(workdir, key("parent")).key,
    mergeKey(null, key("layer")).key,
    mergeKey(key("parent"), key("layer")).key,
    httpKey(http, digestOf("f"), 0).key,
    httpKey(http, digestOf("f"), 1).key,
    httpKey(http, digestOf("g"), 0).key,
    httpKey({ ...http, fileName: "g" }, digestOf("f"), 0).key,
    gitKey(git, commit).key,
    gitKey(git, "b".repeat(40)).key,
    gitKey({ ...git, subdir: "d" }, commit).key,
    gitKey({ ...git, keepGitDir: true }, commit).key,
    gitKey({ ...git, submodules: false }, commit).key,
    keyOfRun(),
    keyOfCopy(),
  ];
  expect(new Set(keys).size).toBe(keys.length);
  expect(httpKey({ ...http, url: "https://mirror/f" }, digestOf("f"), 0).key).toBe(httpKey(http, digestOf("f"), 0).key);
  expect(gitKey({ ...git, ref: "v1", url: "https://mirror/r.git" }, commit).key).toBe(gitKey(git, commit).key);
});
