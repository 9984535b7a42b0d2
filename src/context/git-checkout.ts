import { chmodSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync, unlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BuildError, isBuildError } from "../base/errors.ts";
import { fsCall } from "../layer/fs-call.ts";
import { type GitCredentials, runGit } from "./git-command.ts";
import { isCommit } from "./git-url.ts";
import { redactUrls } from "./redact-url.ts";
import { networkRetries, type RetryPolicy, withRetries } from "./retry.ts";

/** What of a repository is meant. */
export interface GitSource {
  /** As `GitUrl.remote`; may hold credentials. */
  readonly remote: string;
  /** Branch, tag, full ref name or commit; "" is the default branch. */
  readonly ref: string;
  /** A commit, a tag object or the beginning of one; null when any will do. */
  readonly checksum: string | null;
}

/** What a ref meant when it was looked up. */
export interface ResolvedGitRef {
  /** The commit to check out. */
  readonly commit: string;
  /** The full name of the ref, or "" when a commit was named. */
  readonly ref: string;
  /** The tag object of an annotated tag, or null. */
  readonly tag: string | null;
}

export interface GitCheckout {
  readonly source: GitSource;
  readonly resolved: ResolvedGitRef;
  /** Directory inside the repository, cleaned; "" for all of it. */
  readonly subdir: string;
  /** Leaves `.git` in place when all of the repository is wanted: one commit deep, without credentials. */
  readonly keepGitDir: boolean;
  readonly submodules: boolean;
  /** Must not exist; its parent must. Removed again when the checkout fails. */
  readonly directory: string;
}

/**
 * Asks the repository what `source.ref` is now; a full commit is taken as it is, without asking. A branch wins over a
 * tag of the same name. Rejects with SOURCE_NOT_FOUND when there is no such ref, ADD_CHECKSUM_MISMATCH when it is not
 * the one asked for, otherwise as `runGit`.
 */
export async function resolveGitRef(
  source: GitSource,
  signal: AbortSignal,
  retries: RetryPolicy = networkRetries,
): Promise<ResolvedGitRef> {
  if (isCommit(source.ref)) {
    checkChecksum(source, [source.ref]);
    return { commit: source.ref, ref: "", tag: null };
  }
  const { url, credentials } = withoutCredentials(source.remote);
  const wanted = source.ref === "" ? "HEAD" : source.ref;
  const args = ["ls-remote", "--quiet", "--", url, wanted, `${wanted}^{}`];
  const directory = fsCall(() => mkdtempSync(join(tmpdir(), "tsbuild-git-")));
  let output: string;
  try {
    output = await withRetries(() => runGit({ args, directory, credentials }, signal), retries, signal);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  const found = pickRef(wanted, output);
  if (found === null)
    throw new BuildError(
      "SOURCE_NOT_FOUND",
      `git repository ${redactUrls(source.remote)}: no ref ${JSON.stringify(wanted)}`,
    );
  checkChecksum(source, found.tag === null ? [found.commit] : [found.tag, found.commit]);
  return found;
}

/**
 * Checks a commit out into `checkout.directory` and resolves with the directory that holds what is wanted: the subdir,
 * if there is one. Only what the commit holds is written: no hooks, no filters, no LFS. Files get 0644 or 0755.
 * Rejects with SOURCE_INVALID for a subdir that is no real directory or a hostile submodule, otherwise as `runGit`.
 */
export async function checkOutGit(
  checkout: GitCheckout,
  signal: AbortSignal,
  retries: RetryPolicy = networkRetries,
): Promise<string> {
  const { directory } = checkout;
  fsCall(() => {
    mkdirSync(directory);
    chmodSync(directory, 0o755);
  });
  try {
    await fetchAndCheckOut(checkout, signal, retries);
    const keep = checkout.keepGitDir && checkout.subdir === "";
    if (!keep) removeGitFiles(directory);
    return subdirOf(directory, checkout.subdir);
  } catch (error) {
    rmSync(directory, { recursive: true, force: true });
    throw error;
  }
}

/**
 * When a commit was committed, in seconds since 1970. The commit is fetched into `directory`, which must not exist and is
 * removed again. Rejects as `runGit`.
 */
export async function readCommitTime(
  source: GitSource,
  resolved: ResolvedGitRef,
  directory: string,
  signal: AbortSignal,
  retries: RetryPolicy = networkRetries,
): Promise<number> {
  fsCall(() => mkdirSync(directory));
  try {
    const { git, online } = await startRepository(source, resolved, directory, signal, retries);
    await fetchCommit(resolved, online);
    const text = (await git("show", "--no-patch", "--format=%ct", `${resolved.commit}^{commit}`)).trim();
    if (/^-?\d{1,15}$/.test(text)) return Number(text);
    throw new BuildError("SOURCE_INVALID", `git commit ${resolved.commit}: its time is ${JSON.stringify(text)}`);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function fetchAndCheckOut(checkout: GitCheckout, signal: AbortSignal, retries: RetryPolicy): Promise<void> {
  const { source, resolved, directory } = checkout;
  const { git, online } = await startRepository(source, resolved, directory, signal, retries);
  if (resolved.tag !== null && checkout.keepGitDir) {
    await online("fetch", "--quiet", "--depth=1", "--no-tags", "--", "origin", `+${resolved.ref}:${resolved.ref}`);
  } else {
    await fetchCommit(resolved, online);
  }
  const commit = (await git("rev-parse", "--verify", "--quiet", `${resolved.commit}^{commit}`)).trim();
  checkChecksum(source, [resolved.tag ?? resolved.commit, commit]);
  await git("checkout", "--quiet", "--detach", "--force", commit);
  if (checkout.submodules)
    await checkOutSubmodules(
      directory,
      { git, online },
      withoutCredentials(source.remote).credentials,
      signal,
      retries,
    );
  rmSync(join(directory, ".git/FETCH_HEAD"), { force: true });
  rmSync(join(directory, ".git/logs"), { recursive: true, force: true });
}

/** An empty repository in an existing directory, with the remote; `online` is for what goes over the network. */
async function startRepository(
  source: GitSource,
  resolved: ResolvedGitRef,
  directory: string,
  signal: AbortSignal,
  retries: RetryPolicy,
): Promise<{ readonly git: Git; readonly online: Git }> {
  const { url, credentials } = withoutCredentials(source.remote);
  const git: Git = (...args) => runGit({ args, directory, credentials }, signal);
  const format = resolved.commit.length === 64 ? "sha256" : "sha1";
  await git("init", "--quiet", "--template=", `--object-format=${format}`);
  await git("config", "remote.origin.url", url);
  return { git, online: (...args) => withRetries(() => git(...args), retries, signal) };
}

type Git = (...args: string[]) => Promise<string>;

/** Servers need not hand out a commit by its name; then it is looked for behind the ref, and at last everywhere. */
async function fetchCommit(resolved: ResolvedGitRef, online: Git): Promise<void> {
  const attempts: readonly (readonly string[])[] = [
    ["--depth=1", "--no-tags", "--", "origin", resolved.commit],
    ...(resolved.ref === "" ? [] : [["--depth=1", "--no-tags", "--", "origin", resolved.ref]]),
    ["--tags", "--", "origin", "+refs/heads/*:refs/remotes/origin/*"],
  ];
  let failure: unknown;
  for (const attempt of attempts) {
    try {
      await online("fetch", "--quiet", ...attempt);
      await online("cat-file", "-e", `${resolved.commit}^{commit}`);
      return;
    } catch (error) {
      if (!isBuildError(error) || error.code === "BUILD_CANCELLED" || error.code === "SOURCE_UNAUTHORIZED") throw error;
      failure ??= error;
    }
  }
  throw failure;
}

const maximumSubmoduleDepth = 16;

/** Checks submodules out level by level, each list of them looked at before git acts on it. */
async function checkOutSubmodules(
  directory: string,
  run: { readonly git: Git; readonly online: Git },
  credentials: GitCredentials | null,
  signal: AbortSignal,
  retries: RetryPolicy,
  depth = 0,
): Promise<void> {
  const listed = await submodulePaths(directory, run.git);
  if (listed.length === 0) return;
  if (depth === maximumSubmoduleDepth)
    throw new BuildError("SOURCE_INVALID", `git submodules: more than ${maximumSubmoduleDepth} inside each other`);
  const update = ["submodule", "--quiet", "update", "--init"];
  try {
    await run.online(...update, "--depth=1");
  } catch (error) {
    if (!isBuildError(error) || error.code === "BUILD_CANCELLED") throw error;
    await run.online(...update);
  }
  for (const path of listed) {
    const inside = join(directory, path);
    if (!isRealDirectory(directory, path) || !fsCall(() => readdirSync(inside)).includes(".git")) continue;
    const git = (...args: string[]): Promise<string> => runGit({ args, directory: inside, credentials }, signal);
    const online = (...args: string[]): Promise<string> => withRetries(() => git(...args), retries, signal);
    await checkOutSubmodules(inside, { git, online }, credentials, signal, retries, depth + 1);
  }
}

/** Paths of the submodules of the commit that is checked out. Throws SOURCE_INVALID for entries that no one means well with. */
async function submodulePaths(directory: string, git: Git): Promise<readonly string[]> {
  const stat = lstatSync(join(directory, ".gitmodules"), { throwIfNoEntry: false });
  if (stat === undefined) return [];
  if (!stat.isFile()) throw new BuildError("SOURCE_INVALID", "git submodules: .gitmodules is no regular file");
  const output = await git("config", "--null", "--file", ".gitmodules", "--list");
  const paths: string[] = [];
  for (const item of output.split("\0")) {
    const [, name = "", key = "", value = ""] = /^submodule\.(.*)\.([^.\n]*)\n(.*)$/s.exec(item) ?? [];
    const isHostile =
      name.split("/").includes("..") ||
      (["path", "url"].includes(key) && (value.startsWith("-") || /[\0-\x1f\x7f]/.test(value))) ||
      (key === "path" && (value.startsWith("/") || value.split("/").includes("..")));
    if (isHostile)
      throw new BuildError(
        "SOURCE_INVALID",
        `git submodule ${JSON.stringify(name)}: refused ${key} ${JSON.stringify(redactUrls(value))}`,
      );
    if (key === "path") paths.push(value);
  }
  return paths;
}

function pickRef(wanted: string, output: string): ResolvedGitRef | null {
  const found = new Map<string, string>();
  for (const line of output.split("\n")) {
    const [object, name] = line.split("\t");
    if (object !== undefined && name !== undefined && isCommit(object)) found.set(name, object);
  }
  const afterPrefix = (prefix: string): string =>
    prefix + (wanted.startsWith(prefix) ? wanted.slice(prefix.length) : wanted);
  const names =
    wanted === "HEAD" ? ["HEAD"] : [afterPrefix("refs/"), afterPrefix("refs/heads/"), afterPrefix("refs/tags/")];
  for (const ref of names) {
    const object = found.get(ref);
    if (object === undefined) continue;
    const peeled = found.get(`${ref}^{}`);
    return { commit: peeled ?? object, ref, tag: peeled === undefined ? null : object };
  }
  return null;
}

function checkChecksum(source: GitSource, objects: readonly string[]): void {
  const { checksum } = source;
  if (checksum === null || objects.some((object) => object.startsWith(checksum))) return;
  const got = [...new Set(objects)].join(" or ");
  throw new BuildError(
    "ADD_CHECKSUM_MISMATCH",
    `git repository ${redactUrls(source.remote)}: expected checksum to match ${checksum}, got ${got}`,
  );
}

/** Takes user and password out of an http(s) URL: git gets them only when the server asks. */
function withoutCredentials(remote: string): { readonly url: string; readonly credentials: GitCredentials | null } {
  const match = /^(https?:\/\/)([^/]*)@([^/]*)(\/.*)?$/s.exec(remote);
  if (match === null) return { url: remote, credentials: null };
  const [, scheme = "", userInfo = "", host = "", path = ""] = match;
  const colon = userInfo.indexOf(":");
  const user = decodeUserInfo(colon === -1 ? userInfo : userInfo.slice(0, colon));
  const password = colon === -1 ? "" : decodeUserInfo(userInfo.slice(colon + 1));
  return { url: `${scheme}${host}${path}`, credentials: { server: `${scheme}${host}`, user, password } };
}

function decodeUserInfo(text: string): string {
  try {
    const decoded = decodeURIComponent(text);
    if (!/[\0-\x1f\x7f]/.test(decoded)) return decoded;
  } catch {
    // Refused like a control character.
  }
  throw new BuildError("SOURCE_INVALID", "git repository: user or password in the URL is malformed");
}

/** Removes `.git` of the repository and of its submodules, whose `.git` files lead nowhere without it. */
function removeGitFiles(directory: string): void {
  fsCall(() => {
    rmSync(join(directory, ".git"), { recursive: true, force: true });
    const left = [Buffer.from(directory)];
    for (let next = left.pop(); next !== undefined; next = left.pop()) {
      for (const child of readdirSync(next, { withFileTypes: true, encoding: "buffer" })) {
        const path = Buffer.concat([next, Buffer.from("/"), child.name]);
        if (child.isDirectory()) left.push(path);
        else if (child.name.toString() === ".git") unlinkSync(path);
      }
    }
  });
}

function subdirOf(directory: string, subdir: string): string {
  if (subdir === "") return directory;
  if (!isRealDirectory(directory, subdir))
    throw new BuildError("SOURCE_INVALID", `git repository: subdirectory ${JSON.stringify(subdir)} is not a directory`);
  return join(directory, subdir);
}

/** Whether each component of `path` is a directory itself, not a link to one. */
function isRealDirectory(directory: string, path: string): boolean {
  let at = directory;
  for (const name of path.split("/")) {
    at = join(at, name);
    if (name === ".." || lstatSync(at, { throwIfNoEntry: false })?.isDirectory() !== true) return false;
  }
  return true;
}
