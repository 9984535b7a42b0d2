import { chmodSync, existsSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { BuildError } from "../../../../src/base/errors.ts";
import type { RunMount } from "../../../../src/plan/build-graph.ts";
import type { ExitStatus, Runtime } from "../../../../src/sandbox/runtime.ts";
import type { SandboxSpec } from "../../../../src/sandbox/sandbox-spec.ts";
import { CacheMounts } from "../../../../src/steps/run/cache-mounts.ts";
import type { RunSpec } from "../../../../src/steps/run/resolve-mounts.ts";
import { type RunInputs, type RunServices, runProcess } from "../../../../src/steps/run.ts";
import { useTemporaryDirectory } from "../../../support/temporary-directory.ts";
import { rejectionOf } from "../../../support/thrown-by.ts";

const spec: RunSpec = {
  kind: "run",
  parent: null,
  args: ["/bin/sh", "-c", "exit"],
  env: ["A=1"],
  proxyEnv: [],
  cwd: "/w",
  user: "u",
  mounts: [],
  network: "default",
  security: "sandbox",
  hostname: "",
  extraHosts: [],
  shmSizeBytes: null,
  ulimits: [],
  pipes: [],
  platform: { os: "linux", architecture: "amd64", variant: "", osVersion: "" },
};
const never = new AbortController().signal;
const silent = { output: () => {} };

describe("a RUN", () => {
  const temporary = useTemporaryDirectory();
  const seen: SandboxSpec[] = [];

  const run = async (
    over: Partial<RunSpec>,
    inputs: Partial<RunInputs> = {},
    end: ExitStatus | Error = { exitCode: 0, signal: null },
    services: Partial<RunServices> = {},
  ): Promise<SandboxSpec> => {
    seen.length = 0;
    const runtime: Runtime = {
      probe: async () => [],
      run: async (sandbox) => {
        seen.push(sandbox);
        if (end instanceof Error) throw end;
        return end;
      },
    };
    await runProcess(
      { ...spec, ...over },
      { lowers: [], binds: [], seeds: [], temporary: temporary.path, ...inputs },
      {
        runtime,
        cacheMounts: new CacheMounts(join(temporary.path, "mounts")),
        secrets: [],
        ssh: [],
        environment: {},
        ...services,
      },
      silent,
      never,
    );
    const [sandbox] = seen;
    if (sandbox === undefined) throw new Error("nothing was run");
    return sandbox;
  };

  test("becomes a sandbox with BuildKit's defaults", async () => {
    expect(await run({})).toEqual({
      args: ["/bin/sh", "-c", "exit"],
      env: ["A=1", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
      cwd: "/w",
      user: "u",
      lowers: [],
      upper: join(temporary.path, "dir"),
      work: join(temporary.path, "work"),
      mounts: [],
      network: "host",
      security: "sandbox",
      hostname: "buildkitsandbox",
      extraHosts: [],
      shmSizeBytes: 67108864,
      ulimits: [],
    });
    expect(existsSync(join(temporary.path, "dir"))).toBe(true);
  });

  test("works on a root with the mode that every unpacked layer has", async () => {
    const lower = join(temporary.path, "lower");
    mkdirSync(lower);
    chmodSync(lower, 0o1555);
    const { upper } = await run({}, { lowers: [lower] });
    expect(statSync(upper).mode & 0o7777).toBe(0o755);
  });

  test("has its heredoc scripts in /dev/pipes", async () => {
    const { mounts } = await run({ pipes: [{ name: "EOF", content: "#!/bin/x\n" }] });
    expect(mounts).toEqual([
      { kind: "file", target: "/dev/pipes/EOF", contentBase64: "IyEvYmluL3gK", mode: 0o755, uid: 0, gid: 0 },
    ]);
  });

  test("mounts trees, caches and secrets", async () => {
    writeFileSync(join(temporary.path, "token"), "t");
    const owner = { mode: 0o400, uid: 1, gid: 2 };
    const tree = { kind: "empty" } as const;
    const plain = { sharing: "shared", seed: null, mode: null, uid: null, gid: null } as const;
    const mounts: RunMount[] = [
      { kind: "bind", source: tree, path: "/a", target: "/1", readOnly: true },
      { kind: "bind", source: tree, path: "/b", target: "/2", readOnly: true },
      { kind: "bind", source: tree, path: "/", target: "/3", readOnly: false },
      { kind: "cache", id: "c", target: "/4", readOnly: false, ...plain },
      { kind: "tmpfs", target: "/5", sizeBytes: 7 },
      { kind: "secret", id: "s", target: "/6", env: "TOKEN", required: true, ...owner },
      { kind: "secret", id: "none", target: "/7", env: "EMPTY", required: false, ...owner },
      { kind: "secret", id: "s", target: null, env: "ONLY", required: true, ...owner },
      { kind: "ssh", id: "default", target: "/8", required: false, ...owner },
    ];
    const binds = [
      { lowers: ["/top", "/low"], path: "/a" },
      { lowers: ["/context"], path: "/where-b-leads" },
      { lowers: [], path: "/" },
    ];
    const sandbox = await run({ mounts }, { binds }, undefined, {
      secrets: [{ id: "s", kind: "file", path: join(temporary.path, "token") }],
    });
    expect(sandbox.mounts).toEqual([
      { kind: "overlay", lowers: ["/top", "/low"], subPath: "/a", target: "/1", readOnly: true },
      { kind: "overlay", lowers: ["/context"], subPath: "/where-b-leads", target: "/2", readOnly: true },
      { kind: "overlay", lowers: [], subPath: "/", target: "/3", readOnly: false },
      {
        kind: "bind",
        source: expect.stringMatching(/\/mounts\/[0-9a-f]{64}\/0\/content$/),
        subPath: "/",
        target: "/4",
        readOnly: false,
      },
      { kind: "tmpfs", target: "/5", sizeBytes: 7 },
      { kind: "file", target: "/6", contentBase64: "dA==", mode: 0o400, uid: 1, gid: 2 },
    ]);
    expect(sandbox.env.slice(-3)).toEqual(["TOKEN=t", "EMPTY=", "ONLY=t"]);
  });

  test("fails without a required ssh agent", async () => {
    const mount = { kind: "ssh", id: "k", target: "/s", required: true, mode: 0o600, uid: 0, gid: 0 } as const;
    expect(await rejectionOf(run({ mounts: [mount] }))).toMatchObject({
      code: "SECRET_NOT_FOUND",
      message: 'ssh agent "k": not forwarded',
      hint: "pass --ssh k=SOCKET",
    });
  });

  test.each([
    [{ exitCode: 3, signal: null }, "exit code: 3", { exitCode: 3, signal: null }],
    [{ exitCode: null, signal: "SIGKILL" }, "exit code: 137", { exitCode: 137, signal: "SIGKILL" }],
    [
      new BuildError("RUN_USER_NOT_FOUND", "unable to find user u", { details: { user: "u" } }),
      "unable to find user u",
      { user: "u" },
    ],
    [
      new BuildError("RUN_FAILED", "exec: not found", { details: { exitCode: 127 } }),
      "exec: not found",
      { exitCode: 127 },
    ],
  ])("that ends with %j fails", async (end, reason, details) => {
    const error = await rejectionOf(run({}, {}, end));
    expect(error.code).toMatch(/^RUN_/);
    expect(error.message).toBe(`process "/bin/sh -c exit" did not complete successfully: ${reason}`);
    expect(error.details).toEqual({ ...details, command: "/bin/sh -c exit" });
  });

  test("releases its caches when it fails", async () => {
    const locked: RunMount = {
      kind: "cache",
      id: "c",
      target: "/c",
      readOnly: false,
      sharing: "locked",
      seed: null,
      mode: null,
      uid: null,
      gid: null,
    };
    const place = (name: string): Partial<RunInputs> => {
      mkdirSync(join(temporary.path, name));
      return { temporary: join(temporary.path, name) };
    };
    await rejectionOf(run({ mounts: [locked] }, place("a"), { exitCode: 1, signal: null }));
    await run({ mounts: [locked] }, place("b"));
  });

  test("passes other errors on as they are", async () => {
    const error = new BuildError("RUNTIME_SETUP_FAILED", "no");
    expect(await rejectionOf(run({}, {}, error))).toBe(error);
  });
});
