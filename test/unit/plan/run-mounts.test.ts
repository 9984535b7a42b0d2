import { describe, expect, test } from "vitest";
import { parseMountFlag } from "../../../src/dockerfile/mount-flag.ts";
import type { TreeSource } from "../../../src/plan/build-graph.ts";
import { planMounts } from "../../../src/plan/run-mounts.ts";

const stage: TreeSource = { kind: "vertex", vertex: "v7" };
const context: TreeSource = { kind: "context", name: "context" };
const nobody = { mode: null, uid: null, gid: null };

function plan(flags: readonly string[], workingDir = "/w", cacheNamespace = ""): readonly object[] {
  const mounts = flags.map((flag) => parseMountFlag(flag, (text) => text));
  return planMounts(mounts, { workingDir, cacheNamespace, sourceOf: () => stage });
}

describe("defaults of a mount", () => {
  test.each<[string, object]>([
    ["target=/t", { kind: "bind", source: context, path: "/", target: "/t", readOnly: true }],
    ["from=s,source=a/../b/,target=t,rw", { kind: "bind", source: stage, path: "/b", target: "/w/t", readOnly: false }],
    ["type=bind,source=../../x", { kind: "bind", source: context, path: "/x", target: "/w", readOnly: true }],
    [
      "type=cache,target=/c/./d",
      { kind: "cache", id: "/c/d", target: "/c/d", sharing: "shared", readOnly: false, seed: null, ...nobody },
    ],
    [
      "type=cache,target=c,id=x,sharing=locked,ro,from=s,source=/seed",
      {
        kind: "cache",
        id: "x",
        target: "/w/c",
        sharing: "locked",
        readOnly: true,
        seed: { source: stage, path: "/seed" },
        ...nobody,
      },
    ],
    [
      "type=cache,target=c,uid=7",
      {
        kind: "cache",
        id: "c",
        target: "/w/c",
        sharing: "shared",
        readOnly: false,
        seed: null,
        mode: 0o755,
        uid: 7,
        gid: 0,
      },
    ],
    ["type=tmpfs,target=/t", { kind: "tmpfs", target: "/t", sizeBytes: null }],
    ["type=tmpfs,target=/t,size=1k", { kind: "tmpfs", target: "/t", sizeBytes: 1024 }],
    ["type=secret,id=a/b", secret({ id: "a/b", target: "/run/secrets/b" })],
    ["type=secret,target=/x/y,required", secret({ id: "y", target: "/x/y", required: true })],
    ["type=secret,id=a,env=A", secret({ id: "a", env: "A", target: null })],
    [
      "type=secret,id=a,env=A,target=t,mode=0444,uid=1",
      secret({ id: "a", env: "A", target: "/w/t", mode: 0o444, uid: 1 }),
    ],
    [
      "type=ssh",
      { kind: "ssh", id: "default", target: "/run/buildkit/ssh_agent.0", required: false, mode: 0o600, uid: 0, gid: 0 },
    ],
  ])("%s", (flag, mount) => {
    expect(plan([flag])).toEqual([mount]);
  });
});

function secret(changes: object): object {
  return { kind: "secret", env: null, required: false, mode: 0o400, uid: 0, gid: 0, ...changes };
}

test("file systems are sorted by target, so that a mount inside another comes later", () => {
  const flags = [
    "type=ssh",
    "type=secret,id=s",
    "type=tmpfs,target=/b/c",
    "target=/b",
    "type=cache,target=/a",
    "type=ssh,id=x",
  ];
  expect(plan(flags)).toMatchObject([
    { target: "/a" },
    { target: "/b" },
    { target: "/b/c" },
    { kind: "secret" },
    { target: "/run/buildkit/ssh_agent.0" },
    { target: "/run/buildkit/ssh_agent.1" },
  ]);
});

test.each([["target=/"], ["type=cache,target=/x/.."], ["type=tmpfs"]])("%s has no usable target below /", (flag) => {
  expect(() => plan([flag], "/")).toThrow('invalid mount target "/"');
});
