import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { baseLayout } from "./base-registry.ts";

/** What starts the command line; dist/ must have been built. */
export const cliProgram = fileURLToPath(new URL("../../bin/tsbuild.js", import.meta.url));

/** Flags that make `FROM base` the busybox image of the fixtures. */
export const baseFlags = ["--build-context", `base=oci-layout://${baseLayout}`] as const;

export interface CliOptions {
  /** The store. */
  readonly root: string;
  readonly cwd?: string;
  readonly environment?: NodeJS.ProcessEnv;
  /** What is sent to its stdin; nothing and an end when left out. */
  readonly stdin?: Buffer | string;
  /** Starts it as this program's arguments: `["strace", "-f"]`. */
  readonly under?: readonly string[];
}

export interface CliResult {
  /** Exit code; null when a signal ended it. */
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** The command line as a process of its own, with an environment that does not depend on who runs the tests. */
export function startCli(args: readonly string[], options: CliOptions): ChildProcess {
  const { root, cwd, under = [] } = options;
  const [program = "", ...rest] = [...under, process.execPath, cliProgram, ...args];
  const environment = {
    PATH: process.env.PATH,
    HOME: root,
    TSBUILD_ROOT: root,
    TSBUILD_CONFIG: "",
    DOCKER_CONFIG: root,
    ...options.environment,
  };
  return spawn(program, rest, { cwd, env: environment, stdio: ["pipe", "pipe", "pipe"] });
}

/** Runs the command line to its end. */
export async function runCli(args: readonly string[], options: CliOptions): Promise<CliResult> {
  const child = startCli(args, options);
  const { stdin, stdout, stderr } = child;
  if (stdin === null || stdout === null || stderr === null) throw new Error("the process has no pipes");
  // A command that does not read its stdin closes it while it is being sent.
  const sending = pipeline(Readable.from([Buffer.from(options.stdin ?? "")]), stdin).catch(() => {});
  const [[code], out, err] = await Promise.all([once(child, "close"), buffer(stdout), buffer(stderr), sending]);
  return { code: code as number | null, stdout: out, stderr: err.toString("utf8") };
}

/** Runs the command line and fails, with what it said, unless it exits with 0. */
export async function runCliWell(args: readonly string[], options: CliOptions): Promise<CliResult> {
  const result = await runCli(args, options);
  if (result.code !== 0) throw new Error(`tsbuild ${args.join(" ")}: exit code ${result.code}\n${result.stderr}`);
  return result;
}
