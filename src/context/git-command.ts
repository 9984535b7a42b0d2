import { type ChildProcess, spawn } from "node:child_process";
import { dirname } from "node:path";
import type { ErrorCode } from "../base/error-codes.ts";
import { BuildError } from "../base/errors.ts";
import { redactUrls } from "./redact-url.ts";
import { cancelled } from "./retry.ts";

/** User and password for one server, given to git when that server asks for them and never on a command line. */
export interface GitCredentials {
  /** `https://host:port` */
  readonly server: string;
  readonly user: string;
  readonly password: string;
}

export interface GitCommand {
  readonly args: readonly string[];
  /** Absolute path of the directory to run in; no repository above it is used. */
  readonly directory: string;
  readonly credentials: GitCredentials | null;
}

const maximumOutputBytes = 16 << 20;
const keptErrorBytes = 16 << 10;

/** What holds for every run: nothing a repository or this user's configuration names is executed. */
const settings: readonly string[] = [
  "core.hooksPath=/dev/null",
  "core.fsmonitor=false",
  "core.attributesFile=/dev/null",
  "protocol.file.allow=never",
  "protocol.ext.allow=never",
  "submodule.recurse=false",
  "fetch.recurseSubmodules=false",
  "init.defaultBranch=main",
  "advice.detachedHead=false",
  "gc.auto=0",
  "http.lowSpeedLimit=1000",
  "http.lowSpeedTime=60",
  "credential.helper=",
];

/** Prints what git asks for; the values stand in the environment. */
const credentialHelper =
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a line of shell
  '!f() { test "$1" = get && printf "username=%s\\npassword=%s\\n" "${TSBUILD_GIT_USER}" "${TSBUILD_GIT_PASSWORD}"; }; f';

/** Files git makes get 0644 and 0755 whatever the umask of this process is. */
const withUmask = 'umask 022 && exec git "$@"';

/**
 * Runs git and resolves with what it printed. git sees a clean environment, no configuration of this machine, and only
 * the protocols http, https, ssh and git. Rejects with SOURCE_UNAUTHORIZED, SOURCE_NOT_FOUND, SOURCE_UNAVAILABLE or
 * SOURCE_INVALID by what git said, RUNTIME_UNAVAILABLE without git, BUILD_CANCELLED after an abort: then git and
 * all it started are killed.
 */
export function runGit(command: GitCommand, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(cancelled());
    const flags = [...settings, ...credentialSettings(command.credentials)].flatMap((setting) => ["-c", setting]);
    const child = spawn("/bin/sh", ["-c", withUmask, "git", ...flags, ...command.args], {
      cwd: command.directory,
      env: environmentFor(command),
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    const output: Buffer[] = [];
    let outputBytes = 0;
    let errors = "";
    const kill = (): void => killGroup(child);
    signal.addEventListener("abort", kill, { once: true });
    child.stdout.on("data", (chunk: Buffer) => {
      outputBytes += chunk.length;
      if (outputBytes > maximumOutputBytes) kill();
      else output.push(chunk);
    });
    child.stderr.on("data", (chunk: Buffer) => {
      errors = (errors + chunk.toString()).slice(-keptErrorBytes);
    });
    child.on("error", (cause) => {
      signal.removeEventListener("abort", kill);
      reject(new BuildError("RUNTIME_UNAVAILABLE", "git cannot be started", { cause, hint: "install git" }));
    });
    child.on("close", (exitCode) => {
      signal.removeEventListener("abort", kill);
      killGroup(child);
      if (signal.aborted) reject(cancelled());
      else if (outputBytes > maximumOutputBytes) reject(new BuildError("SOURCE_INVALID", "git: too much output"));
      else if (exitCode === 0) resolve(Buffer.concat(output).toString());
      else reject(failureOf(command.args, exitCode, errors));
    });
  });
}

function credentialSettings(credentials: GitCredentials | null): readonly string[] {
  return credentials === null ? [] : [`credential.${credentials.server}.helper=${credentialHelper}`];
}

const keptVariables: readonly string[] = [
  "PATH",
  "SSH_AUTH_SOCK",
  "HTTP_PROXY",
  "HTTPS_PROXY",
  "NO_PROXY",
  "ALL_PROXY",
  "http_proxy",
  "https_proxy",
  "no_proxy",
  "all_proxy",
];

function environmentFor({ directory, credentials }: GitCommand): Record<string, string> {
  const environment: Record<string, string> = {
    LC_ALL: "C",
    HOME: "/dev/null",
    GIT_TERMINAL_PROMPT: "0",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_ATTR_NOSYSTEM: "1",
    GIT_CEILING_DIRECTORIES: dirname(directory),
    GIT_ALLOW_PROTOCOL: "http:https:ssh:git",
    GIT_SSH_COMMAND: "ssh -F /dev/null -o BatchMode=yes -o ConnectTimeout=30",
    GIT_LFS_SKIP_SMUDGE: "1",
  };
  for (const name of keptVariables) {
    const value = process.env[name];
    if (value !== undefined) environment[name] = value;
  }
  if (credentials !== null) {
    environment.TSBUILD_GIT_USER = credentials.user;
    environment.TSBUILD_GIT_PASSWORD = credentials.password;
  }
  return environment;
}

/** Ends git and everything it started; they are one process group. */
function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // The group is gone already.
  }
}

const failures: readonly { readonly code: ErrorCode; readonly said: RegExp; readonly hint?: string }[] = [
  { code: "RUNTIME_UNAVAILABLE", said: /git: (?:command )?not found/, hint: "install git" },
  { code: "SOURCE_INVALID", said: /transport '[^']*' not allowed|dubious|refusing|not allowed to/ },
  {
    code: "SOURCE_UNAUTHORIZED",
    said: /authentication failed|could not read (?:username|password)|permission denied|host key verification failed|error: 40[13]/i,
    hint: "give credentials in the URL, or a key to the SSH agent and the host to ~/.ssh/known_hosts",
  },
  {
    code: "SOURCE_NOT_FOUND",
    said: /not found|does not exist|does not appear to be a git repository|couldn't find remote ref/i,
  },
  {
    code: "SOURCE_UNAVAILABLE",
    said: /could not resolve|unable to access|connection|timed out|hung up|early eof|rpc failed|network is unreachable|unexpected disconnect/i,
  },
];

function failureOf(args: readonly string[], exitCode: number | null, errors: string): BuildError {
  const said = redactUrls(errors).trim();
  const failure = failures.find((candidate) => candidate.said.test(said));
  const last = said.split("\n").filter((line) => /^(?:fatal|error|remote|ssh|sh):?/i.test(line));
  const reason = last.at(-1) ?? said.split("\n").at(-1) ?? "";
  return new BuildError(failure?.code ?? "SOURCE_INVALID", `git ${args[0]}: ${reason || `exit code ${exitCode}`}`, {
    hint: failure?.hint,
    details: { exitCode, stderr: said },
  });
}
