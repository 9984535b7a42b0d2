import { BuildError } from "../base/errors.ts";
import { redactUrls } from "./redact-url.ts";

/** A git repository and what of it is meant, as ADD, `--build-context` and the context argument name it. */
export interface GitUrl {
  /** What git is given: without query and fragment; may hold credentials, so print it only through `redactUrls`. */
  readonly remote: string;
  /** Branch, tag, full ref name or commit; "" is the default branch. */
  readonly ref: string;
  /** Directory inside the repository, cleaned, without leading "/"; "" is all of it. */
  readonly subdir: string;
  /** A commit or the beginning of one that the ref must turn out to be; null when not asked for. */
  readonly checksum: string | null;
  /** As the URL says; null when it does not. */
  readonly keepGitDir: boolean | null;
  /** As the URL says; null when it does not. */
  readonly submodules: boolean | null;
  /** Written without a scheme (`github.com/owner/name`): a build context means the repository, ADD a local path. */
  readonly looksLocal: boolean;
}

/** user@host:path?query#fragment */
const scpStyle = /^([a-zA-Z0-9_-]+)@([a-zA-Z0-9.-]+):([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/s;
/** scheme://authority/path?query#fragment, the schemes git may use */
const urlStyle = /^(https?|ssh|git):\/\/([^/?#]*)(\/[^?#]*)?(?:\?([^#]*))?(?:#(.*))?$/is;
const forbiddenInRef = /[\0-\x20~^:?*[\\\x7f]|\.\.|@\{/;
/** 40 or 64 hex digits. */
const commitPattern = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;

export const isCommit = (ref: string): boolean => commitPattern.test(ref);

/** Whether a source of ADD is downloaded: an http(s) URL that does not name a git repository. */
export function isHttpUrl(text: string): boolean {
  return /^https?:\/\//.test(text) && splitGitUrl(text) === null;
}

/** Whether `text` has the form of a git repository, even if its query is wrong. */
export function isGitUrl(text: string): boolean {
  return splitGitUrl(text) !== null;
}

/**
 * Reads the forms of git URLs BuildKit knows: `git://`, `ssh://`, http(s) whose path ends in `.git`, `user@host:path`
 * and `github.com/owner/name`, each with `?query` and `#ref:subdir`. null when `text` is no git URL.
 * Throws SOURCE_INVALID for a git URL with a wrong query, or one that could be taken for an option of git or ssh.
 */
export function parseGitUrl(text: string): GitUrl | null {
  const parts = splitGitUrl(text);
  if (parts === null) return null;
  const fail = (problem: string): BuildError =>
    new BuildError("SOURCE_INVALID", `git URL ${JSON.stringify(redactUrls(text))}: ${problem}`);
  if (hasControlCharacter(parts.remote)) throw fail("control character in the address");
  if (parts.host === "") throw fail("no host");
  if (parts.host.startsWith("-") || parts.user.startsWith("-")) throw fail('host or user begins with "-"');
  if (parts.path.startsWith("-")) throw fail('path begins with "-"');

  const fragment = decode(parts.fragment);
  if (fragment === null) throw fail("malformed escape in the fragment");
  const colon = fragment.indexOf(":");
  const fragmentSubdir = colon === -1 ? "" : fragment.slice(colon + 1);
  const query = readQuery(parts.query, fail);
  const ref = refOf(colon === -1 ? fragment : fragment.slice(0, colon), query, fail);
  const subdir = agreeing("subdir", cleanSubdir(fragmentSubdir), cleanSubdir(query.get("subdir") ?? ""), fail);
  if (ref.startsWith("-")) throw fail(`ref ${JSON.stringify(ref)} begins with "-"`);
  if (forbiddenInRef.test(ref)) throw fail(`ref ${JSON.stringify(ref)} is not a valid name`);

  const checksum = agreeing("checksum", query.get("checksum") ?? "", query.get("commit") ?? "", fail);
  if (!/^[0-9a-fA-F]*$/.test(checksum)) throw fail(`checksum ${JSON.stringify(checksum)}: want a commit in hex digits`);
  const byCommit = readBoolean("fetch-by-commit", query, fail) === true;
  if (byCommit && !isCommit(checksum) && !isCommit(ref))
    throw fail("fetch-by-commit needs a checksum that is a full commit");
  return {
    remote: parts.remote,
    ref: byCommit && checksum !== "" ? checksum : ref,
    subdir,
    checksum: checksum === "" ? null : checksum.toLowerCase(),
    keepGitDir: readBoolean("keep-git-dir", query, fail),
    submodules: readBoolean("submodules", query, fail),
    looksLocal: parts.looksLocal,
  };
}

interface UrlParts {
  readonly remote: string;
  readonly user: string;
  readonly host: string;
  readonly path: string;
  readonly query: string;
  readonly fragment: string;
  readonly looksLocal: boolean;
}

function splitGitUrl(text: string): UrlParts | null {
  const looksLocal = text.startsWith("github.com/");
  const url = urlStyle.exec(looksLocal ? `https://${text}` : text);
  if (url !== null) {
    const scheme = (url[1] ?? "").toLowerCase();
    const authority = url[2] ?? "";
    const path = url[3] ?? "";
    if (scheme.startsWith("http") && !looksLocal && !(decode(path) ?? "").endsWith(".git")) return null;
    const at = authority.lastIndexOf("@");
    return {
      remote: `${scheme}://${authority}${path}`,
      user: at === -1 ? "" : authority.slice(0, at),
      host: authority.slice(at + 1),
      path,
      query: url[4] ?? "",
      fragment: url[5] ?? "",
      looksLocal,
    };
  }
  const scp = scpStyle.exec(text);
  if (scp === null) return null;
  const [, user = "", host = "", path = "", query = "", fragment = ""] = scp;
  return { remote: `${user}@${host}:${path}`, user, host, path, query, fragment, looksLocal };
}

const queryKeys: ReadonlySet<string> = new Set([
  "ref",
  "tag",
  "branch",
  "subdir",
  "checksum",
  "commit",
  "keep-git-dir",
  "submodules",
  "mtime",
  "fetch-by-commit",
]);
/** Keys that mean true without a value. */
const flagKeys: ReadonlySet<string> = new Set(["keep-git-dir", "submodules", "fetch-by-commit"]);

type Fail = (problem: string) => BuildError;

function readQuery(text: string, fail: Fail): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (const [key, value] of new URLSearchParams(text)) {
    if (!queryKeys.has(key)) throw fail(`unexpected query ${JSON.stringify(key)}`);
    if (values.has(key)) throw fail(`query ${JSON.stringify(key)} has multiple values`);
    if (value === "" && !flagKeys.has(key)) throw fail(`query ${JSON.stringify(key)} has no value`);
    values.set(key, value);
  }
  const mtime = values.get("mtime") ?? "checkout";
  if (mtime !== "checkout" && mtime !== "commit")
    throw fail(`invalid mtime value: ${JSON.stringify(mtime)} (must be "checkout" or "commit")`);
  return values;
}

function refOf(fragmentRef: string, query: ReadonlyMap<string, string>, fail: Fail): string {
  const tag = withPrefix("refs/tags/", query.get("tag") ?? "");
  const branch = withPrefix("refs/heads/", query.get("branch") ?? "");
  if (tag !== "" && branch !== "") throw fail("branch conflicts with tag");
  const ref = agreeing("ref", fragmentRef, query.get("ref") ?? "", fail);
  return agreeing("ref", ref, tag + branch, fail);
}

const withPrefix = (prefix: string, name: string): string =>
  name === "" || name.startsWith(prefix) ? name : prefix + name;

/** The one of two spellings that is given. */
function agreeing(what: string, a: string, b: string, fail: Fail): string {
  if (a !== "" && b !== "" && a !== b) throw fail(`${what} conflicts: ${JSON.stringify(a)} vs ${JSON.stringify(b)}`);
  return a === "" ? b : a;
}

function readBoolean(key: string, query: ReadonlyMap<string, string>, fail: Fail): boolean | null {
  const value = query.get(key);
  if (value === undefined) return null;
  if (value === "" || /^(?:1|t|T|true|TRUE|True)$/.test(value)) return true;
  if (/^(?:0|f|F|false|FALSE|False)$/.test(value)) return false;
  throw fail(`invalid ${key} value: ${JSON.stringify(value)}`);
}

/** Without ".", "..", doubled and outer slashes; ".." never goes above the repository. */
function cleanSubdir(path: string): string {
  const kept: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") kept.pop();
    else if (part !== "" && part !== ".") kept.push(part);
  }
  return kept.join("/");
}

function decode(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

const hasControlCharacter = (text: string): boolean => /[\0-\x20\x7f]/.test(text);
