import fc from "fast-check";
import { Minimatch } from "minimatch";
import { describe, expect, test } from "vitest";
import { isBuildError } from "../../../src/base/errors.ts";
import { cleanPath } from "../../../src/context/clean-path.ts";
import { compilePatterns, type PatternVerdict } from "../../../src/context/pattern-matcher.ts";
import { cpuTimeOf } from "../../support/cpu-time.ts";

const matchesOne = (pattern: string, path: string): boolean => compilePatterns([pattern]).matches(path);

/** Asked folder by folder, as a walk does. */
function matchesWalking(patterns: readonly string[], path: string): boolean {
  const matcher = compilePatterns(patterns);
  const parts = path.split("/");
  let verdict: PatternVerdict | null = null;
  for (let end = 1; end <= parts.length; end += 1) verdict = matcher.decide(parts.slice(0, end).join("/"), verdict);
  return verdict?.matched === true;
}

describe("one pattern", () => {
  test.each<[string, string, boolean]>([
    ["**", "file", true],
    ["**/", "file", true],
    ["**", "dir/file", true],
    ["**/", "dir/file", true],
    ["**/**", "dir/file", true],
    ["dir/**", "dir/file", true],
    ["dir/**", "dir/dir2/file", true],
    ["dir/**", "dir", false],
    ["dir**", "dir", true],
    ["dir**", "dir2/x", true],
    ["**/dir", "dir", true],
    ["**/dir", "dir/file", true],
    ["**/dir2/*", "dir/dir2/file", true],
    ["**/dir2/**", "dir/dir2/dir3/file", true],
    ["**file", "file", true],
    ["**file", "dir/file", true],
    ["**file", "dir/dir/file", true],
    ["**file", "afile", true],
    ["**/file", "dir/file", true],
    ["**/file", "dir/dir/file", true],
    ["**/file", "afile", false],
    ["**/file*", "dir/dir/file", true],
    ["**/file*", "dir/dir/file.txt", true],
    ["**/file*txt", "dir/dir/file.txt", true],
    ["**/file*.txt", "dir/dir/file.txt", true],
    ["**/file*.txt*", "dir/dir/file.txt", true],
    ["**/**/*.txt", "dir/dir/file.txt", true],
    ["**/**/*.txt2", "dir/dir/file.txt", false],
    ["**/*.txt", "file.txt", true],
    ["**/**/*.txt", "file.txt", true],
    ["a**/*.txt", "a/file.txt", true],
    ["a**/*.txt", "a/dir/file.txt", true],
    ["a**/*.txt", "a/dir/dir/file.txt", true],
    ["a**/*.txt", "ab/file.txt", true],
    ["a/*.txt", "a/dir/file.txt", false],
    ["a/*.txt", "a/file.txt", true],
    ["a/*.txt**", "a/file.txt", true],
    ["a[b-d]e", "ae", false],
    ["a[b-d]e", "ace", true],
    ["a[b-d]e", "aae", false],
    ["a[^b-d]e", "aze", true],
    ["a[^b-d]e", "a/e", true],
    ["[!a]", "!", true],
    ["[!a]", "b", false],
    [".*", ".foo", true],
    [".*", "foo", false],
    ["abc.def", "abcdef", false],
    ["abc.def", "abc.def", true],
    ["abc.def", "abcZdef", false],
    ["abc?def", "abcZdef", true],
    ["abc?def", "abcdef", false],
    ["a\\\\", "a\\", true],
    ["a\\*b", "a*b", true],
    ["a\\*b", "axb", false],
    ["**/foo/bar", "foo/bar", true],
    ["**/foo/bar", "dir/foo/bar", true],
    ["**/foo/bar", "dir/dir2/foo/bar", true],
    ["abc/**", "abc", false],
    ["abc/**", "abc/def", true],
    ["abc/**", "abc/def/ghi", true],
    ["**/.foo", ".foo", true],
    ["**/.foo", "bar.foo", false],
    ["a(b)c/def", "a(b)c/def", true],
    ["a(b)c/def", "a(b)c/xyz", false],
    ["a.|)$(}+{bc", "a.|)$(}+{bc", true],
    ["{a,b}", "a", false],
    ["{a,b}", "{a,b}", true],
    ["+(a)", "aa", false],
    ["dist/p.py-2.4.0rc3.dev36+g08-none-any.whl", "dist/p.py-2.4.0rc3.dev36+g08-none-any.whl", true],
    ["dist/*.whl", "dist/p.py-2.4.0rc3.dev36+g08-none-any.whl", true],
    ["*", "a/b", true],
    ["a", "a/b/c", true],
    ["a", "A", false],
    ["a/", "a", true],
    ["./a//b/../c", "a/c", true],
    ["a/b", "a", false],
    ["../a", "a", false],
    ["/a", "a", false],
    [".", "a", false],
    ["a?b", "a😀b", true],
    ["??", "😀", false],
    ["é", "e\u0301", false],
    ["?", "\udcff", true],
    ["\udcff*", "\udcffx", true],
    ["constructor", "constructor", true],
    ["__proto__", "x", false],
  ])("%j and %j: %s", (pattern, path, want) => {
    expect(matchesOne(pattern, path)).toBe(want);
    expect(matchesWalking([pattern], path)).toBe(want);
  });

  test.each<[string, string, boolean]>([
    ["*c", "abc", true],
    ["a*", "ab/c", true],
    ["a*/b", "abc/b", true],
    ["a*/b", "a/c/b", false],
    ["a*b*c*d*e*/f", "axbxcxdxe/f", true],
    ["a*b*c*d*e*/f", "axbxcxdxexxx/f", true],
    ["a*b*c*d*e*/f", "axbxcxdxe/xxx/f", false],
    ["a*b*c*d*e*/f", "axbxcxdxexxx/fff", false],
    ["a*b?c*x", "abxbbxdbxebxczzx", true],
    ["a*b?c*x", "abxbbxdbxebxczzy", false],
    ["ab[c]", "abc", true],
    ["ab[e-g]", "abc", false],
    ["ab[^c]", "abc", false],
    ["ab[^e-g]", "abc", true],
    ["a?b", "a☺b", true],
    ["a[^a]b", "a☺b", true],
    ["a???b", "a☺b", false],
    ["a[^a][^a][^a]b", "a☺b", false],
    ["[a-ζ]*", "α", true],
    ["*[a-ζ]", "A", false],
    ["a?b", "a/b", false],
    ["a*b", "a/b", false],
    ["[\\]a]", "]", true],
    ["[\\-]", "-", true],
    ["[x\\-]", "x", true],
    ["[x\\-]", "-", true],
    ["[x\\-]", "z", false],
    ["[\\-x]", "a", false],
    ["*x", "xxx", true],
    ["a]", "a]", true],
  ])("as filepath.Match: %j and %j: %s", (pattern, path, want) => {
    expect(matchesOne(pattern, path)).toBe(want);
  });

  test.each([
    "[]a]",
    "[-]",
    "[x-]",
    "[-x]",
    "[a-b-c]",
    "[",
    "[^",
    "[^bc",
    "a[",
    "a/[",
    "\\",
    "a\\",
    "[\\",
    "[Local-Only]/",
    "!",
    " ! ",
    "*".repeat(70_000),
  ])("%j is refused", (pattern) => {
    let thrown: unknown;
    try {
      compilePatterns([pattern]);
    } catch (error) {
      thrown = error;
    }
    expect(isBuildError(thrown, "CONTEXT_IGNORE_INVALID")).toBe(true);
  });
});

describe("several patterns", () => {
  test.each<[readonly string[], string, boolean]>([
    [["!fileutils.go", "*.go"], "fileutils.go", true],
    [["*.go", "!fileutils.go"], "fileutils.go", false],
    [["docs", "!docs/README.md"], "docs/README.md", false],
    [["docs/", "!docs/README.md"], "docs/README.md", false],
    [["docs/*", "!docs/README.md"], "docs/README.md", false],
    [["docs", "  !docs/README.md  "], "docs/README.md", false],
    [["**", "!util/docker/web"], "util/docker/web/foo", false],
    [["**", "!util/docker/web", "util/docker/web/foo"], "util/docker/web/foo", true],
    [["**", "!dist/*.whl"], "dist/proxy.py-2.4.whl", false],
    [["a", "!a/b", "a/b/c"], "a/b/c/d", true],
    [["a", "!a/b", "a/b/c"], "a/b/x", false],
    [["a/b", "!a"], "a/b", true],
    [["a/b", "!a"], "a/c", false],
    [["*", "!keep"], "keep/in/f", false],
    [["*", "!keep"], "drop/f", true],
    [["", "a"], "a", true],
    [[], "any/path", false],
  ])("%j and %j: %s", (patterns, path, want) => {
    expect(compilePatterns(patterns).matches(path)).toBe(want);
    expect(matchesWalking(patterns, path)).toBe(want);
  });

  test("an exception is noticed", () => {
    expect(compilePatterns(["a", " !a/b"]).hasExceptions).toBe(true);
    expect(compilePatterns(["a", "b!"]).hasExceptions).toBe(false);
  });

  test.each<[readonly string[], string, boolean]>([
    [["*", "!keep/in/f"], "keep", true],
    [["*", "!keep/in/f"], "keep/in", true],
    [["*", "!keep/in/f"], "kee", false],
    [["*", "!keep/in/f"], "keep/in/f", false],
    [["*", "!keep/*/f"], "keep/a", true],
    [["*", "!keep/**"], "keep", true],
    [["*", "!keep/**"], "drop", false],
    [["*", "!**/*.go"], "anything/below", true],
    [["*"], "anything", false],
  ])("exceptions of %j below %j: %s", (patterns, folder, want) => {
    expect(compilePatterns(patterns).mayKeepBelow(folder)).toBe(want);
  });
});

const component = fc.string({ unit: fc.constantFrom("a", "b", "."), minLength: 1, maxLength: 3 });
const usable = component.filter((name) => name !== "." && name !== "..");
const path = fc.array(usable, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/"));

describe("properties", () => {
  test("agrees with minimatch where both mean the same: whole components of ** and single stars", () => {
    const part = fc.oneof(
      fc.constant("**"),
      fc
        .string({ unit: fc.constantFrom("a", "b", ".", "*"), minLength: 1, maxLength: 4 })
        .filter((text) => !text.includes("**") && text !== "." && text !== ".."),
    );
    const pattern = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/"));
    const settings = {
      dot: true,
      nobrace: true,
      noext: true,
      nonegate: true,
      nocomment: true,
      platform: "linux",
    } as const;
    fc.assert(
      fc.property(pattern, path, (text, name) => {
        const want = name
          .split("/")
          .some((_, at, parts) => new Minimatch(text, settings).match(parts.slice(0, at + 1).join("/")));
        expect(matchesOne(text, name)).toBe(want);
      }),
      { numRuns: 2000 },
    );
  });

  test("agrees with a search through all ways to match", () => {
    const slow = (pattern: string, name: string): boolean => {
      if (pattern === "") return name === "";
      if (pattern.startsWith("**")) {
        const rest = pattern.slice(pattern[2] === "/" ? 3 : 2);
        const starts = [...name].flatMap((char, at) => (char === "/" ? [at + 1] : []));
        return rest === "" || [0, ...starts].some((start) => slow(rest, name.slice(start)));
      }
      const rest = pattern.slice(1);
      if (pattern.startsWith("*"))
        return slow(rest, name) || (name !== "" && !name.startsWith("/") && slow(pattern, name.slice(1)));
      if (name === "") return false;
      return (pattern.startsWith("?") ? !name.startsWith("/") : pattern[0] === name[0]) && slow(rest, name.slice(1));
    };
    const reference = (pattern: string, name: string): boolean =>
      pattern.startsWith("**") && !/[*?]/.test(pattern.slice(2))
        ? `/${name}`.endsWith(pattern.slice(2))
        : slow(pattern, name);
    const text = fc
      .string({ unit: fc.constantFrom("a", "b", "*", "?", "/", "**"), minLength: 1, maxLength: 7 })
      .map(cleanPath);
    fc.assert(
      fc.property(text, path, (pattern, name) => {
        expect(compilePatterns([pattern]).decide(name, { matched: false, hits: new Uint8Array(1) }).matched).toBe(
          reference(pattern, name),
        );
      }),
      { numRuns: 5000 },
    );
  });

  test("a walk decides like a look at the path alone, and never skips what an exception keeps", () => {
    const line = fc
      .tuple(
        fc.constantFrom("", "!"),
        fc
          .string({ unit: fc.constantFrom("a", "b", "*", "?", "/", "**"), minLength: 1, maxLength: 6 })
          .filter((text) => cleanPath(`!${text}`) !== "!"),
      )
      .map(([mark, text]) => mark + text);
    fc.assert(
      fc.property(fc.array(line, { maxLength: 5 }), path, (patterns, name) => {
        const matcher = compilePatterns(patterns);
        const parts = name.split("/");
        let verdict: PatternVerdict | null = null;
        let isPruned = false;
        for (let end = 1; end <= parts.length; end += 1) {
          const folder = parts.slice(0, end).join("/");
          verdict = matcher.decide(folder, verdict);
          if (end < parts.length && verdict.matched && !matcher.mayKeepBelow(folder)) isPruned = true;
        }
        expect(verdict?.matched).toBe(matcher.matches(name));
        if (isPruned) expect(verdict?.matched).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  test.each([
    ["stars", "*a".repeat(30_000), "a".repeat(255)],
    ["double stars", "**a/".repeat(15_000), "a/".repeat(1_000)],
    ["alternating", `${"*?".repeat(120)}b`, "a".repeat(255)],
    ["classes", "[a-z]*".repeat(10_000), "a".repeat(255)],
  ])("%s cost little time", (_, pattern, name) => {
    expect(cpuTimeOf(() => compilePatterns([pattern]).matches(name))).toBeLessThan(2000);
  });
});
