import { spawn } from "node:child_process";
import { BuildError } from "../base/errors.ts";

/** What a credential helper knows about a server. */
export interface HelperCredentials {
  readonly username: string;
  readonly secret: string;
}

const timeoutMs = 30_000;
const largestOutputBytes = 1024 * 1024;

/**
 * Asks `docker-credential-<name>` for the credentials of `server` (docker's credential helper protocol: `get`, the
 * server on stdin, JSON on stdout). Null when it has none. Throws CONFIG_INVALID when the helper is missing, fails or
 * takes longer than 30 seconds; its output never appears in the error.
 */
export async function runCredentialHelper(
  name: string,
  server: string,
  environment: NodeJS.ProcessEnv,
): Promise<HelperCredentials | null> {
  const program = programOf(name);
  const { status, stdout, stderr } = await runHelper(program, "get", server, environment);
  if (status === 0) return parseHelperOutput(program, stdout);
  if (isNotFound(stdout + stderr)) return null;
  throw failed(program, `ended with status ${status}`);
}

/** Has a helper keep credentials (`store`). Throws CONFIG_INVALID as `runCredentialHelper` does. */
export async function storeWithHelper(
  name: string,
  given: HelperCredentials & { readonly server: string },
  environment: NodeJS.ProcessEnv,
): Promise<void> {
  const program = programOf(name);
  const input = JSON.stringify({ ServerURL: given.server, Username: given.username, Secret: given.secret });
  const { status } = await runHelper(program, "store", input, environment);
  if (status !== 0) throw failed(program, `ended with status ${status}`);
}

/** Has a helper forget credentials (`erase`); false when it had none. Throws CONFIG_INVALID. */
export async function eraseWithHelper(name: string, server: string, environment: NodeJS.ProcessEnv): Promise<boolean> {
  const program = programOf(name);
  const { status, stdout, stderr } = await runHelper(program, "erase", server, environment);
  if (status === 0) return true;
  if (isNotFound(stdout + stderr)) return false;
  throw failed(program, `ended with status ${status}`);
}

const isNotFound = (output: string): boolean => /credentials not found|no credentials/i.test(output);

function programOf(name: string): string {
  if (/^[A-Za-z0-9_][A-Za-z0-9._-]*$/.test(name)) return `docker-credential-${name}`;
  throw new BuildError("CONFIG_INVALID", `credential helper ${JSON.stringify(name.slice(0, 100))}: not a name`);
}

interface Finished {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function runHelper(
  program: string,
  action: "get" | "store" | "erase",
  input: string,
  environment: NodeJS.ProcessEnv,
): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, [action], { env: environment, stdio: ["pipe", "pipe", "pipe"] });
    const output = { stdout: "", stderr: "" };
    /** Also closes the pipes: a process the helper started may hold them open after its end. */
    const giveUp = (problem: string): void => {
      child.kill("SIGKILL");
      child.stdout.destroy();
      child.stderr.destroy();
      reject(failed(program, problem));
    };
    const timer = setTimeout(giveUp, timeoutMs, `no answer after ${timeoutMs / 1000} seconds`);
    for (const stream of ["stdout", "stderr"] as const) {
      child[stream].setEncoding("utf8").on("data", (text: string) => {
        output[stream] += text;
        if (output[stream].length > largestOutputBytes) giveUp(`its answer is larger than ${largestOutputBytes} bytes`);
      });
    }
    child.on("error", (cause) => {
      clearTimeout(timer);
      const missing = "code" in cause && cause.code === "ENOENT";
      reject(failed(program, missing ? "not found in PATH" : "cannot be started", cause));
    });
    child.on("close", (status) => {
      clearTimeout(timer);
      resolve({ status, ...output });
    });
    // A helper may end without reading its input.
    child.stdin.on("error", () => {});
    child.stdin.end(`${input}\n`);
  });
}

function parseHelperOutput(program: string, stdout: string): HelperCredentials {
  let parsed: unknown;
  try {
    parsed = JSON.parse(stdout);
  } catch {
    throw failed(program, "its answer is not JSON");
  }
  const member = (key: string): unknown =>
    parsed !== null && typeof parsed === "object" && Object.hasOwn(parsed, key) ? Reflect.get(parsed, key) : undefined;
  const username = member("Username");
  const secret = member("Secret");
  if (typeof username !== "string" || typeof secret !== "string")
    throw failed(program, "its answer has no Username and Secret");
  return { username, secret };
}

const failed = (program: string, problem: string, cause?: unknown): BuildError =>
  new BuildError("CONFIG_INVALID", `credential helper ${program}: ${problem}`, {
    hint: "install it, or change credsStore and credHelpers in docker's config.json",
    cause,
  });
