import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { checkOutGit, type GitCheckout, type GitSource, resolveGitRef } from "../../../src/context/git-checkout.ts";
import { runGit } from "../../../src/context/git-command.ts";
import { parseGitUrl } from "../../../src/context/git-url.ts";
import type { RetryPolicy } from "../../../src/context/retry.ts";
import { type GitServer, gitIn, makeRepository, serveGit } from "../../support/git-server.ts";
import { useTemporaryDirectory } from "../../support/temporary-directory.ts";
import { rejectionOf } from "../../support/thrown-by.ts";

const area = useTemporaryDirectory();
const atOnce: RetryPolicy = { attempts: 3, delayMs: () => 0 };
const never = new AbortController().signal;
let repositories: string;
let server: GitServer;

beforeEach(async () => {
  repositories = join(area.path, "repositories");
  mkdirSync(repositories);
  server = await serveGit(repositories);
});

afterEach(() => server.close());

const sourceOf = (path: string, ref = "", checksum: string | null = null): GitSource => ({
  remote: `${server.url}/${path}`,
  ref,
  checksum,
});

interface Wishes extends Partial<Pick<GitCheckout, "subdir" | "keepGitDir" | "submodules">> {}

/** Resolves and checks out, as ADD does. */
async function checkOut(source: GitSource, wishes: Wishes = {}): Promise<string> {
  const resolved = await resolveGitRef(source, never, atOnce);
  const directory = join(area.path, "checkout");
  const checkout = { subdir: "", keepGitDir: false, submodules: true, ...wishes, source, resolved, directory };
  return checkOutGit(checkout, never, atOnce);
}

describe("resolveGitRef", () => {
  test("finds branches, tags and the default branch", async () => {
    const commit = makeRepository(repositories, "r.git", { f: "1" });
    const bare = join(repositories, "r.git");
    gitIn(bare, "tag", "light");
    gitIn(bare, "tag", "-a", "-m", "x", "heavy");
    gitIn(bare, "update-ref", "refs/pull/1/head", commit);
    const tag = gitIn(bare, "rev-parse", "heavy");
    const resolve = (ref: string): Promise<unknown> => resolveGitRef(sourceOf("r.git", ref), never, atOnce);
    expect(await resolve("")).toEqual({ commit, ref: "HEAD", tag: null });
    expect(await resolve("main")).toEqual({ commit, ref: "refs/heads/main", tag: null });
    expect(await resolve("refs/heads/main")).toEqual({ commit, ref: "refs/heads/main", tag: null });
    expect(await resolve("light")).toEqual({ commit, ref: "refs/tags/light", tag: null });
    expect(await resolve("heavy")).toEqual({ commit, ref: "refs/tags/heavy", tag });
    expect(await resolve("refs/tags/heavy")).toEqual({ commit, ref: "refs/tags/heavy", tag });
    expect(await resolve("refs/pull/1/head")).toEqual({ commit, ref: "refs/pull/1/head", tag: null });
  });

  test("prefers a branch to a tag of the same name", async () => {
    makeRepository(repositories, "r.git", { f: "1" });
    const worktree = join(repositories, "r.git.worktree");
    gitIn(worktree, "checkout", "--quiet", "-b", "both");
    gitIn(worktree, "commit", "--quiet", "--allow-empty", "-m", "second");
    const branch = gitIn(worktree, "rev-parse", "HEAD");
    gitIn(join(repositories, "r.git"), "tag", "both", "main");
    gitIn(worktree, "push", "--quiet", join(repositories, "r.git"), "refs/heads/both");
    expect(await resolveGitRef(sourceOf("r.git", "both"), never, atOnce)).toMatchObject({ commit: branch });
  });

  test("asks nobody about a full commit", async () => {
    const commit = "a".repeat(40);
    expect(await resolveGitRef(sourceOf("missing.git", commit), never)).toEqual({ commit, ref: "", tag: null });
    expect(server.requests).toEqual([]);
  });

  test("holds a checksum against commit and tag object", async () => {
    const commit = makeRepository(repositories, "r.git", { f: "1" });
    gitIn(join(repositories, "r.git"), "tag", "-a", "-m", "x", "heavy");
    const tag = gitIn(join(repositories, "r.git"), "rev-parse", "heavy");
    const resolve = (ref: string, checksum: string): Promise<unknown> =>
      resolveGitRef(sourceOf("r.git", ref, checksum), never, atOnce);
    expect(await resolve("main", commit.slice(0, 9))).toMatchObject({ commit });
    expect(await resolve("heavy", tag)).toMatchObject({ commit });
    expect(await resolve("heavy", commit)).toMatchObject({ commit });
    const error = await rejectionOf(resolve("main", "0000000"));
    expect(error.code).toBe("ADD_CHECKSUM_MISMATCH");
    expect(error.message).toContain(`expected checksum to match 0000000, got ${commit}`);
    expect((await rejectionOf(resolve("f".repeat(40), "0000"))).code).toBe("ADD_CHECKSUM_MISMATCH");
  });

  test("says what is missing", async () => {
    makeRepository(repositories, "r.git", { f: "1" });
    const noRef = await rejectionOf(resolveGitRef(sourceOf("r.git", "nope"), never, atOnce));
    expect(noRef).toMatchObject({ code: "SOURCE_NOT_FOUND", message: expect.stringContaining('no ref "nope"') });
    const noRepository = await rejectionOf(resolveGitRef(sourceOf("nope.git"), never, atOnce));
    expect(noRepository.code).toBe("SOURCE_NOT_FOUND");
  });

  test("tries again when the server fails for a while, and says so in the end", async () => {
    makeRepository(repositories, "r.git", { f: "1" });
    let left = 2;
    server.intercept = (_, response) => {
      left -= 1;
      if (left < 0) return false;
      response.writeHead(503).end();
      return true;
    };
    expect(await resolveGitRef(sourceOf("r.git"), never, atOnce)).toMatchObject({ ref: "HEAD" });
    left = 100;
    expect((await rejectionOf(resolveGitRef(sourceOf("r.git"), never, atOnce))).code).toBe("SOURCE_UNAVAILABLE");
    expect(left).toBe(97);
  });
});

describe("checkOutGit", () => {
  test("writes what the commit holds, with plain modes whatever the umask is", async () => {
    makeRepository(repositories, "r.git", { "d/f": "content", run: "#!" }, (worktree) => {
      chmodSync(join(worktree, "run"), 0o755);
      symlinkSync("d/f", join(worktree, "link"));
      writeFileSync(Buffer.from([...Buffer.from(`${worktree}/`), 0xff]), "odd");
    });
    const umask = process.umask(0o077);
    let root: string;
    try {
      root = await checkOut(sourceOf("r.git", "main"));
    } finally {
      process.umask(umask);
    }
    expect(
      readdirSync(root, "buffer")
        .map((name) => name.toString("latin1"))
        .sort(),
    ).toEqual(["d", "link", "run", "\xff"]);
    expect(readFileSync(join(root, "d/f"), "utf8")).toBe("content");
    expect(statSync(join(root, "d/f")).mode & 0o777).toBe(0o644);
    expect(statSync(join(root, "d")).mode & 0o777).toBe(0o755);
    expect(statSync(root).mode & 0o777).toBe(0o755);
    expect(statSync(join(root, "run")).mode & 0o777).toBe(0o755);
    expect(lstatSync(join(root, "link")).isSymbolicLink()).toBe(true);
  });

  test("gets an older commit that no ref points to, also from a server that hands out only refs", async () => {
    const commit = makeRepository(repositories, "r.git", { f: "old" });
    const worktree = join(repositories, "r.git.worktree");
    writeFileSync(join(worktree, "f"), "new");
    gitIn(worktree, "commit", "--quiet", "-a", "-m", "second");
    gitIn(worktree, "push", "--quiet", join(repositories, "r.git"), "main");
    server.intercept = (request) => {
      // The old protocol knows only what the server advertises.
      delete request.headers["git-protocol"];
      return false;
    };
    const root = await checkOut(sourceOf("r.git", commit));
    expect(readFileSync(join(root, "f"), "utf8")).toBe("old");
  });

  test("keeps .git without credentials, hooks and logs", async () => {
    const commit = makeRepository(repositories, "r.git", { f: "1" });
    const withPassword = server.url.replace("http://", "http://user:hunter2@");
    const source = { remote: `${withPassword}/r.git`, ref: "main", checksum: null };
    const root = await checkOut(source, { keepGitDir: true });
    expect(gitIn(root, "rev-parse", "HEAD")).toBe(commit);
    expect(gitIn(root, "status", "--porcelain")).toBe("");
    expect(gitIn(root, "config", "remote.origin.url")).toBe(`${server.url}/r.git`);
    expect(readdirSync(join(root, ".git"))).not.toContain("hooks");
    expect(spawnSync("grep", ["-r", "hunter2", root]).status).toBe(1);
  }, 60_000);

  test("keeps an annotated tag", async () => {
    makeRepository(repositories, "r.git", { f: "1" });
    gitIn(join(repositories, "r.git"), "tag", "-a", "-m", "x", "v1");
    const root = await checkOut(sourceOf("r.git", "v1"), { keepGitDir: true });
    expect(gitIn(root, "describe")).toBe("v1");
  });

  test("gives a password only to the server that asks, and prints it nowhere", async () => {
    makeRepository(repositories, "r.git", { f: "1" });
    const expected = `Basic ${Buffer.from("us er:p@ss/w").toString("base64")}`;
    server.intercept = (request, response) => {
      if (request.headers.authorization === expected) return false;
      response.writeHead(401, { "www-authenticate": 'Basic realm="git"' }).end();
      return true;
    };
    const remote = (password: string): string =>
      `${server.url.replace("http://", `http://us%20er:${password}@`)}/r.git`;
    const right = await resolveGitRef({ remote: remote("p%40ss%2Fw"), ref: "", checksum: null }, never, atOnce);
    expect(right.ref).toBe("HEAD");
    const wrong = await rejectionOf(
      resolveGitRef({ remote: remote("hunter2"), ref: "", checksum: null }, never, atOnce),
    );
    expect(wrong.code).toBe("SOURCE_UNAUTHORIZED");
    expect(JSON.stringify([wrong.message, wrong.details])).not.toContain("hunter2");
  });

  test("does not take a password along to another server", async () => {
    makeRepository(repositories, "r.git", { f: "1" });
    const other = await serveGit(repositories);
    try {
      other.intercept = (request, response) => {
        if (request.headers.authorization !== undefined) return false;
        response.writeHead(401, { "www-authenticate": 'Basic realm="git"' }).end();
        return true;
      };
      server.intercept = (request, response) => {
        response.writeHead(302, { location: `${other.url}${request.url}` }).end();
        return true;
      };
      const remote = `${server.url.replace("http://", "http://u:hunter2@")}/r.git`;
      await rejectionOf(resolveGitRef({ remote, ref: "", checksum: null }, never, atOnce));
      expect(other.requests.length).toBeGreaterThan(0);
      expect(other.requests.every(({ authorization }) => authorization === undefined)).toBe(true);
    } finally {
      await other.close();
    }
  });

  test.each(["missing", "f", "link", "link/inner", "d/f", "d/../../victim"])("no subdir %j", async (subdir) => {
    mkdirSync(join(area.path, "victim"));
    makeRepository(repositories, "r.git", { f: "1", "d/f": "2", "real/inner/f": "3" }, (worktree) => {
      symlinkSync("real", join(worktree, "link"));
    });
    const error = await rejectionOf(checkOut(sourceOf("r.git"), { subdir }));
    expect(error.code).toBe("SOURCE_INVALID");
    expect(existsSync(join(area.path, "checkout"))).toBe(false);
  });

  test("a subdir becomes the root", async () => {
    makeRepository(repositories, "r.git", { f: "1", "a/b/g": "2" });
    const root = await checkOut(sourceOf("r.git"), { subdir: "a/b", keepGitDir: true });
    expect(readdirSync(root)).toEqual(["g"]);
  });

  test("submodules come along, their own ones as well, unless not wanted", async () => {
    makeRepository(repositories, "leaf.git", { leaf: "1" });
    makeRepository(repositories, "middle.git", { middle: "1" }, (worktree) => {
      gitIn(worktree, "submodule", "--quiet", "add", "--name", "leaf", join(repositories, "leaf.git"), "deeper");
      gitIn(worktree, "config", "--file", ".gitmodules", "submodule.leaf.url", "../leaf.git");
    });
    makeRepository(repositories, "top.git", { top: "1" }, (worktree) => {
      gitIn(worktree, "submodule", "--quiet", "add", "--name", "middle", join(repositories, "middle.git"), "sub/m");
      gitIn(worktree, "config", "--file", ".gitmodules", "submodule.middle.url", `${server.url}/middle.git`);
    });
    const root = await checkOut(sourceOf("top.git"));
    expect(readFileSync(join(root, "sub/m/deeper/leaf"), "utf8")).toBe("1");
    expect(readdirSync(join(root, "sub/m/deeper"))).toEqual(["leaf"]);
    expect(readdirSync(join(root, "sub/m")).sort()).toEqual([".gitmodules", "deeper", "middle"]);
  });

  test("submodules stay away when they are not wanted", async () => {
    makeRepository(repositories, "leaf.git", { leaf: "1" });
    makeRepository(repositories, "top.git", { top: "1" }, (worktree) => {
      gitIn(worktree, "submodule", "--quiet", "add", "--name", "leaf", join(repositories, "leaf.git"), "sub");
    });
    const root = await checkOut(sourceOf("top.git"), { submodules: false });
    expect(readdirSync(join(root, "sub"))).toEqual([]);
  });
});

describe("a hostile repository", () => {
  const submodule = (name: string, path: string, url: string): string =>
    `[submodule "${name}"]\n\tpath = ${path}\n\turl = ${url}\n`;

  test.each<[string, string]>([
    ["a URL that is an option", submodule("a", "sub", "-u./evil")],
    ["a path that is an option", submodule("a", "-sub", "./x")],
    ["a path that leads out", submodule("a", "../sub", "./x")],
    ["an absolute path", submodule("a", "/tmp/sub", "./x")],
    ["a name that leads out", submodule("../../modules/a", "sub", "./x")],
    ["a carriage return at the end", submodule("a", '"sub\r"', "./x")],
  ])("is refused for a submodule with %s", async (_, gitmodules) => {
    makeRepository(repositories, "leaf.git", { leaf: "1" });
    makeRepository(repositories, "r.git", { f: "1" }, (worktree) => {
      gitIn(worktree, "submodule", "--quiet", "add", "--name", "a", join(repositories, "leaf.git"), "sub");
      writeFileSync(join(worktree, ".gitmodules"), gitmodules);
    });
    expect((await rejectionOf(checkOut(sourceOf("r.git")))).code).toBe("SOURCE_INVALID");
  });

  test.each(["file:///%AREA%/secret", "ext::sh -c touch% %AREA%/pwned", "fd::17"])(
    "cannot make git use %s for a submodule",
    async (url) => {
      makeRepository(repositories, "leaf.git", { leaf: "1" });
      makeRepository(area.path, "secret", { token: "1" });
      makeRepository(repositories, "r.git", { f: "1" }, (worktree) => {
        gitIn(worktree, "submodule", "--quiet", "add", "--name", "a", join(repositories, "leaf.git"), "sub");
        writeFileSync(join(worktree, ".gitmodules"), submodule("a", "sub", url.replaceAll("%AREA%", area.path)));
      });
      expect((await rejectionOf(checkOut(sourceOf("r.git")))).code).toBe("SOURCE_INVALID");
      expect(existsSync(join(area.path, "pwned"))).toBe(false);
    },
  );

  test("runs no hook, filter or monitor", async () => {
    const pwned = join(area.path, "pwned");
    makeRepository(repositories, "r.git", {
      f: "content",
      ".gitattributes": "* filter=evil diff=evil\n",
      ".gitconfig": `[filter "evil"]\n\tsmudge = touch ${pwned}\n`,
      ".lfsconfig": `[lfs]\n\turl = http://127.0.0.1:1/\n`,
      "hooks/post-checkout": `#!/bin/sh\ntouch ${pwned}\n`,
    });
    const home = join(area.path, "home");
    mkdirSync(home);
    writeFileSync(
      join(home, ".gitconfig"),
      `[filter "evil"]\n\tsmudge = touch ${pwned}\n[core]\n\thooksPath = ${home}\n[url "http://127.0.0.1:1/"]\n\tinsteadOf = http://\n`,
    );
    const before = {
      HOME: process.env.HOME,
      GIT_DIR: process.env.GIT_DIR,
      GIT_CONFIG_GLOBAL: process.env.GIT_CONFIG_GLOBAL,
    };
    Object.assign(process.env, { HOME: home, GIT_DIR: "/nonexistent", GIT_CONFIG_GLOBAL: join(home, ".gitconfig") });
    try {
      const root = await checkOut(sourceOf("r.git"));
      expect(readFileSync(join(root, "f"), "utf8")).toBe("content");
    } finally {
      for (const [name, value] of Object.entries(before))
        if (value === undefined) delete process.env[name];
        else process.env[name] = value;
    }
    expect(existsSync(pwned)).toBe(false);
  });

  test.each(["file:///tmp/x.git", "ext::sh -c id", "/tmp/x.git"])("transport of %s is not allowed", async (remote) => {
    expect(parseGitUrl(remote)).toBeNull();
    const error = await rejectionOf(resolveGitRef({ remote, ref: "", checksum: null }, never, atOnce));
    expect(error.code).toBe("SOURCE_INVALID");
  });

  test("a server that redirects to a file gets nothing", async () => {
    makeRepository(area.path, "secret", { token: "1" });
    server.intercept = (_, response) => {
      response.writeHead(302, { location: `file://${area.path}/secret/info/refs` }).end();
      return true;
    };
    await rejectionOf(resolveGitRef(sourceOf("r.git"), never, atOnce));
  });
});

describe("an abort", () => {
  test("kills git and what it started", async () => {
    const controller = new AbortController();
    const asked = new Promise<void>((resolve) => {
      server.intercept = () => {
        resolve();
        return true;
      };
    });
    const running = resolveGitRef(sourceOf("r.git"), controller.signal, atOnce);
    await asked;
    controller.abort();
    expect((await rejectionOf(running)).code).toBe("BUILD_CANCELLED");
    const listed = execFileSync("ps", ["-eo", "args"], { encoding: "utf8" });
    expect(listed.split("\n").filter((line) => line.includes(`${server.url}/r.git`))).toEqual([]);
  });

  test("before the start starts nothing", async () => {
    const command = { args: ["version"], directory: area.path, credentials: null };
    expect((await rejectionOf(runGit(command, AbortSignal.abort()))).code).toBe("BUILD_CANCELLED");
  });
});

test("without git the error says so", async () => {
  const path = process.env.PATH;
  process.env.PATH = area.path;
  try {
    const command = { args: ["version"], directory: area.path, credentials: null };
    expect((await rejectionOf(runGit(command, never))).code).toBe("RUNTIME_UNAVAILABLE");
  } finally {
    process.env.PATH = path;
  }
});
