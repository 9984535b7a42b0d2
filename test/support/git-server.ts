import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";

export interface GitServer {
  /** `http://127.0.0.1:port` */
  readonly url: string;
  /** The request lines and Authorization headers seen so far. */
  readonly requests: { readonly line: string; readonly authorization: string | undefined }[];
  /** When set, called first; answers the request itself by returning true. */
  intercept: ((request: IncomingMessage, response: ServerResponse) => boolean) | null;
  close(): Promise<void>;
}

/** Serves the bare repositories in `directory` over smart http on the loopback, by `git http-backend`. */
export async function serveGit(directory: string): Promise<GitServer> {
  const requests: GitServer["requests"] = [];
  const server = createServer((request, response) => {
    requests.push({ line: `${request.method} ${request.url}`, authorization: request.headers.authorization });
    if (running.intercept?.(request, response) === true) return;
    const url = new URL(request.url ?? "/", "http://127.0.0.1");
    const backend = spawn("git", ["http-backend"], {
      env: {
        PATH: process.env.PATH,
        GIT_PROJECT_ROOT: directory,
        GIT_HTTP_EXPORT_ALL: "1",
        GIT_CONFIG_COUNT: "1",
        GIT_CONFIG_KEY_0: "safe.directory",
        GIT_CONFIG_VALUE_0: "*",
        PATH_INFO: decodeURIComponent(url.pathname),
        QUERY_STRING: url.search.slice(1),
        REQUEST_METHOD: request.method,
        CONTENT_TYPE: request.headers["content-type"] ?? "",
        HTTP_CONTENT_ENCODING: request.headers["content-encoding"] ?? "",
        GIT_PROTOCOL: String(request.headers["git-protocol"] ?? ""),
        REMOTE_ADDR: "127.0.0.1",
      },
      stdio: ["pipe", "pipe", "ignore"],
    });
    request.pipe(backend.stdin);
    const parts: Buffer[] = [];
    backend.stdout.on("data", (part: Buffer) => parts.push(part));
    backend.on("close", () => {
      const output = Buffer.concat(parts);
      const end = output.indexOf("\r\n\r\n");
      let status = 200;
      for (const line of output.subarray(0, end).toString().split("\r\n")) {
        const [name = "", value = ""] = line.split(/: (.*)/s);
        if (name.toLowerCase() === "status") status = Number.parseInt(value, 10);
        else response.setHeader(name, value);
      }
      response.writeHead(status).end(output.subarray(end + 4));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const running: GitServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    intercept: null,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
  return running;
}

/** Runs git for a test's own preparations and gives what it printed, trimmed. */
export function gitIn(directory: string, ...args: readonly string[]): string {
  const identity = { name: "Test", email: "test@example.com" };
  return execFileSync("git", ["-c", "protocol.file.allow=always", ...args], {
    cwd: directory,
    env: {
      PATH: process.env.PATH,
      HOME: "/dev/null",
      GIT_CONFIG_NOSYSTEM: "1",
      GIT_AUTHOR_NAME: identity.name,
      GIT_AUTHOR_EMAIL: identity.email,
      GIT_COMMITTER_NAME: identity.name,
      GIT_COMMITTER_EMAIL: identity.email,
      GIT_AUTHOR_DATE: "2001-02-03T04:05:06Z",
      GIT_COMMITTER_DATE: "2001-02-03T04:05:06Z",
    },
    stdio: ["ignore", "pipe", "pipe"],
  })
    .toString()
    .trim();
}

/** Makes a bare repository `<directory>/<name>` that holds one commit on branch `main` with these files; the commit. */
export function makeRepository(
  directory: string,
  name: string,
  files: Readonly<Record<string, string>>,
  prepare: (worktree: string) => void = () => {},
): string {
  const worktree = join(directory, `${name}.worktree`);
  mkdirSync(worktree, { recursive: true });
  gitIn(worktree, "init", "--quiet", "-b", "main");
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(worktree, path)), { recursive: true });
    writeFileSync(join(worktree, path), content);
  }
  prepare(worktree);
  gitIn(worktree, "add", "--all", "--force");
  gitIn(worktree, "commit", "--quiet", "--message", "first");
  gitIn(directory, "clone", "--quiet", "--bare", worktree, name);
  return gitIn(worktree, "rev-parse", "HEAD");
}
