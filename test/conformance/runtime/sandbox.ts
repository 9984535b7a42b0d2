import { chmodSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest";
import type { ExitStatus, ProcessIo, Runtime } from "../../../src/sandbox/runtime.ts";
import type { SandboxMount, SandboxSpec } from "../../../src/sandbox/sandbox-spec.ts";
import { unpackBaseRootfs } from "../../support/base-rootfs.ts";

export const path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export interface Ran {
  readonly status: ExitStatus;
  readonly stdout: string;
  readonly stderr: string;
  /** What the process left behind. */
  readonly upper: string;
}

type Files = Readonly<Record<string, string>>;

export const emptySpec = {
  env: [`PATH=${path}`],
  cwd: "/",
  user: "",
  mounts: [],
  network: "host",
  security: "sandbox",
  hostname: "buildkitsandbox",
  extraHosts: [],
  shmSizeBytes: 64 << 20,
  ulimits: [],
} as const satisfies Partial<SandboxSpec>;

export const secret = (target: string, content: string, mode = 0o400, uid = 0, gid = 0): SandboxMount => ({
  kind: "file",
  target,
  contentBase64: Buffer.from(content).toString("base64"),
  mode,
  uid,
  gid,
});

/** Names of everything below a directory, sorted. */
export const treeOf = (root: string): string[] => readdirSync(root, { recursive: true }).map(String).sort();

/** As `treeOf`, without directories: an upper directory has copies of those that something was once mounted in. */
export const filesOf = (root: string): string[] =>
  treeOf(root).filter((name) => !lstatSync(join(root, name)).isDirectory());

/** A runtime, and what tests of it run and look at. */
export interface Sandbox {
  readonly runtime: Runtime;
  /** Rootfs of the base image, for all tests. */
  readonly base: string;
  /** Where the directories of all tests lie. */
  readonly shared: string;
  /** An empty directory, for one test. */
  readonly directory: string;
  newDirectory(prefix: string): string;
  /** A directory with the given files; a name that ends in "/" is a directory, content "-> x" makes a symlink. */
  directoryWith(files: Files): string;
  /** Runs a command on the base image unless `over` says otherwise. */
  run(
    args: readonly string[],
    over?: Partial<SandboxSpec>,
    signal?: AbortSignal,
    more?: Omit<ProcessIo, "output">,
  ): Promise<Ran>;
  shell(script: string, over?: Partial<SandboxSpec>, more?: Omit<ProcessIo, "output">): Promise<Ran>;
  /** Output of a script that must succeed. */
  outputOf(script: string, over?: Partial<SandboxSpec>): Promise<string>;
}

/** Makes what the tests of the describe block around it need of `runtime`. */
export function useSandbox(runtime: Runtime): Sandbox {
  let shared: string;
  let base: string;
  let directory: string;
  beforeAll(async () => {
    shared = mkdtempSync(join(tmpdir(), "tsbuild-runtime-"));
    base = await unpackBaseRootfs(shared);
  });
  afterAll(() => rmSync(shared, { recursive: true, force: true }));
  beforeEach(() => {
    directory = mkdtempSync(join(shared, "test-"));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const newDirectory = (prefix: string): string => mkdtempSync(join(directory, `${prefix}-`));

  const directoryWith = (files: Files): string => {
    const root = newDirectory("lower");
    chmodSync(root, 0o755);
    for (const [file, content] of Object.entries(files)) {
      const target = join(root, file);
      mkdirSync(file.endsWith("/") ? target : dirname(target), { recursive: true });
      if (content.startsWith("-> ")) symlinkSync(content.slice(3), target);
      else if (!file.endsWith("/")) writeFileSync(target, content);
    }
    return root;
  };

  const run = async (
    args: readonly string[],
    over: Partial<SandboxSpec> = {},
    signal = new AbortController().signal,
    more: Omit<ProcessIo, "output"> = {},
  ): Promise<Ran> => {
    const place = newDirectory("run");
    const [upper, work] = [join(place, "upper"), join(place, "work")];
    mkdirSync(upper, { mode: 0o755 });
    mkdirSync(work);
    const output = { stdout: [] as Uint8Array[], stderr: [] as Uint8Array[] };
    const io = { ...more, output: (stream: "stdout" | "stderr", chunk: Uint8Array) => void output[stream].push(chunk) };
    const status = await runtime.run({ ...emptySpec, args, lowers: [base], upper, work, ...over }, io, signal);
    const text = (chunks: readonly Uint8Array[]): string => Buffer.concat(chunks).toString("latin1");
    return { status, stdout: text(output.stdout), stderr: text(output.stderr), upper };
  };
  const shell = (script: string, over: Partial<SandboxSpec> = {}, more: Omit<ProcessIo, "output"> = {}): Promise<Ran> =>
    run(["/bin/sh", "-c", script], over, undefined, more);
  const outputOf = async (script: string, over: Partial<SandboxSpec> = {}): Promise<string> => {
    const { status, stdout, stderr } = await shell(script, over);
    expect({ status, stderr }).toEqual({ status: { exitCode: 0, signal: null }, stderr: "" });
    return stdout.trimEnd();
  };

  return {
    runtime,
    get base() {
      return base;
    },
    get shared() {
      return shared;
    },
    get directory() {
      return directory;
    },
    newDirectory,
    directoryWith,
    run,
    shell,
    outputOf,
  };
}
