import { describe, expect, test } from "vitest";
import { isBuildError } from "../../../src/base/errors.ts";
import { type GitUrl, isGitUrl, isHttpUrl, parseGitUrl } from "../../../src/context/git-url.ts";
import { redactUrls } from "../../../src/context/redact-url.ts";
import { cpuTimeOf } from "../../support/cpu-time.ts";

const commit = "0123456789abcdef0123456789abcdef01234567";
const plain: Omit<GitUrl, "remote"> = {
  ref: "",
  subdir: "",
  checksum: null,
  keepGitDir: null,
  submodules: null,
  looksLocal: false,
};

describe("parseGitUrl", () => {
  test.each<[string, Partial<GitUrl> & { remote: string }]>([
    ["https://example.com/foo.git", { remote: "https://example.com/foo.git" }],
    ["https://example.com/foo.git#deadbeef", { remote: "https://example.com/foo.git", ref: "deadbeef" }],
    ["https://example.com/foo.git#release/1.2", { remote: "https://example.com/foo.git", ref: "release/1.2" }],
    ["https://h/f.git#baz/qux:quux/quuz", { remote: "https://h/f.git", ref: "baz/qux", subdir: "quux/quuz" }],
    ["https://h/f.git#:myfolder", { remote: "https://h/f.git", subdir: "myfolder" }],
    ["https://h/f.git#main:../../..", { remote: "https://h/f.git", ref: "main" }],
    ["https://h/f.git#main:proj//..", { remote: "https://h/f.git", ref: "main" }],
    ["https://h/f.git#main:/a/./b/", { remote: "https://h/f.git", ref: "main", subdir: "a/b" }],
    ["HTTPS://h/f.git", { remote: "https://h/f.git" }],
    ["http://h/f.git", { remote: "http://h/f.git" }],
    ["https://foo:bar@github.com/moby/buildkit.git", { remote: "https://foo:bar@github.com/moby/buildkit.git" }],
    ["git://example.com/foo", { remote: "git://example.com/foo" }],
    ["git://host.xz:1234/path/to/repo.git", { remote: "git://host.xz:1234/path/to/repo.git" }],
    ["ssh://git@github.com:22/moby/buildkit.git", { remote: "ssh://git@github.com:22/moby/buildkit.git" }],
    ["git@github.com:moby/buildkit", { remote: "git@github.com:moby/buildkit" }],
    [
      "git@github.com:moby/buildkit.git#v1:hack",
      { remote: "git@github.com:moby/buildkit.git", ref: "v1", subdir: "hack" },
    ],
    ["git@github.com:a/b.git?subdir=/subdir#v1", { remote: "git@github.com:a/b.git", ref: "v1", subdir: "subdir" }],
    ["other@example.com:/srv/p.git", { remote: "other@example.com:/srv/p.git" }],
    ["github.com/moby/buildkit", { remote: "https://github.com/moby/buildkit", looksLocal: true }],
    [
      "github.com/moby/buildkit?tag=v1",
      { remote: "https://github.com/moby/buildkit", ref: "refs/tags/v1", looksLocal: true },
    ],
    ["https://h/f.git?ref=v1.0.0&subdir=/subdir", { remote: "https://h/f.git", ref: "v1.0.0", subdir: "subdir" }],
    ["https://h/f.git?subdir=/subdir#v1.0.0", { remote: "https://h/f.git", ref: "v1.0.0", subdir: "subdir" }],
    ["https://h/f.git?tag=v1.0.0", { remote: "https://h/f.git", ref: "refs/tags/v1.0.0" }],
    ["https://h/f.git?tag=refs/tags/v1", { remote: "https://h/f.git", ref: "refs/tags/v1" }],
    ["https://h/f.git?branch=v1.0", { remote: "https://h/f.git", ref: "refs/heads/v1.0" }],
    ["https://h/f.git?ref=a#a", { remote: "https://h/f.git", ref: "a" }],
    ["https://h/f.git?mtime=commit", { remote: "https://h/f.git" }],
    ["https://h/f.git?keep-git-dir", { remote: "https://h/f.git", keepGitDir: true }],
    [
      "https://h/f.git?keep-git-dir=0&submodules=false",
      { remote: "https://h/f.git", keepGitDir: false, submodules: false },
    ],
    ["https://h/f.git?checksum=ABCDEF", { remote: "https://h/f.git", checksum: "abcdef" }],
    ["https://h/f.git?commit=abcdef#v1", { remote: "https://h/f.git", ref: "v1", checksum: "abcdef" }],
    [
      `https://h/f.git?fetch-by-commit&checksum=${commit}#v1`,
      { remote: "https://h/f.git", ref: commit, checksum: commit },
    ],
    ["https://h/f.git?fetch-by-commit=false", { remote: "https://h/f.git" }],
    ["https://h/f.git#refs/pull/1/head", { remote: "https://h/f.git", ref: "refs/pull/1/head" }],
    ["https://h/f.git#a%2Fb", { remote: "https://h/f.git", ref: "a/b" }],
  ])("%s", (text, want) => {
    expect(parseGitUrl(text)).toEqual({ ...plain, ...want });
    expect(isGitUrl(text)).toBe(true);
  });

  test.each([
    "https://example.com/",
    "https://example.com/foo",
    "https://example.com/foo.git/",
    "https://example.com/foo.git.bar",
    "http://github.com/docker/docker.git:#branch",
    "custom.xyz/moby/buildkit.git",
    "httpx://github.com/moby/buildkit.git",
    "./.git",
    "../a@b:c",
    ".git",
    "file:///t/victim.git",
    "ext::sh -c id",
    "fd::17",
    "git+file:///x.git",
    "",
  ])("%j is no git URL", (text) => {
    expect(parseGitUrl(text)).toBeNull();
    expect(isGitUrl(text)).toBe(false);
  });

  test.each([
    ["https://h/f.git?ref=v1.0.0#v1.2.3", 'ref conflicts: "v1.2.3" vs "v1.0.0"'],
    ["https://h/f.git?ref=v1.0.0&tag=v1.2.3", "ref conflicts"],
    ["https://h/f.git?tag=v1.0.0&branch=v1.0", "branch conflicts with tag"],
    ["https://h/f.git?subdir=a#:b", "subdir conflicts"],
    ["https://h/f.git?checksum=aa&commit=bb", "checksum conflicts"],
    ["https://h/f.git?mtime=invalid", "invalid mtime value"],
    ["https://h/f.git?submodules=maybe", "invalid submodules value"],
    ["https://h/f.git?fetch-by-commit=invalid", "invalid fetch-by-commit value"],
    ["https://h/f.git?fetch-by-commit&checksum=abc", "full commit"],
    ["https://h/f.git?invalid=123", 'unexpected query "invalid"'],
    ["https://h/f.git?__proto__=1", 'unexpected query "__proto__"'],
    ["https://h/f.git?ref=", 'query "ref" has no value'],
    ["https://h/f.git?ref=a&ref=a", 'query "ref" has multiple values'],
    ["https://h/f.git?checksum=xyz", "hex digits"],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the attack is written so
    ["https://h/f.git#--upload-pack=touch${IFS}/tmp/p", 'begins with "-"'],
    ["https://h/f.git?ref=-x", 'begins with "-"'],
    ["https://h/f.git#a b", "not a valid name"],
    ["https://h/f.git#a..b", "not a valid name"],
    ["https://h/f.git#%", "malformed escape"],
    ["ssh://-oProxyCommand=x/r", 'begins with "-"'],
    ["ssh://-oProxyCommand=x@host/r", 'begins with "-"'],
    ["git@-oProxyCommand=x:r", null],
    ["git@-oProxyCommand:r", 'begins with "-"'],
    ["-o@host:r", 'begins with "-"'],
    ["git@host:--upload-pack=x", 'begins with "-"'],
    ["https:///f.git", "no host"],
    ["https://h/a\nb.git", "control character"],
  ])("%j is refused", (text, problem) => {
    if (problem === null) {
      expect(parseGitUrl(text)).toBeNull();
      return;
    }
    try {
      parseGitUrl(text);
    } catch (error) {
      expect(isBuildError(error, "SOURCE_INVALID")).toBe(true);
      expect((error as Error).message).toContain(problem);
      return;
    }
    expect.unreachable("it was accepted");
  });

  test("messages hold no credentials", () => {
    expect(() => parseGitUrl("https://user:hunter2@h/f.git?bad=1")).toThrow(/https:\/\/xxxxx@h/);
    expect(() => parseGitUrl("https://user:hunter2@h/f.git?bad=1")).not.toThrow(/hunter2/);
  });
});

describe("isHttpUrl", () => {
  test.each([
    ["http://h/x", true],
    ["https://h/x.tar.gz?a=b#c", true],
    ["https://h/x.git", false],
    ["https://h/x.git?bad=1", false],
    ["HTTP://h/x", false],
    ["ftp://h/x", false],
    ["file:///etc/passwd", false],
    ["h/x", false],
  ])("%s: %s", (text, want) => {
    expect(isHttpUrl(text)).toBe(want);
  });
});

describe("redactUrls", () => {
  test.each([
    ["https://u:p@h/r.git", "https://xxxxx@h/r.git"],
    ["fatal: unable to access 'https://u:p@ss@h/r.git/': 404", "fatal: unable to access 'https://xxxxx@h/r.git/': 404"],
    ["https://h/a@b", "https://h/a@b"],
    ["git@github.com:a/b", "git@github.com:a/b"],
  ])("%s", (text, want) => {
    expect(redactUrls(text)).toBe(want);
  });

  test("takes little time on a long text", () => {
    const text = "://".repeat(200_000) + "a".repeat(500_000);
    expect(cpuTimeOf(() => redactUrls(text))).toBeLessThan(2000);
  });
});
