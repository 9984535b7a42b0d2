import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isBuildError } from "../../../src/base/errors.ts";
import { hasWildcard, parseGoPattern } from "../../../src/context/go-match.ts";
import { cpuTimeOf } from "../../support/cpu-time.ts";

describe("parseGoPattern", () => {
  test.each<[string, string, boolean]>([
    ["abc", "abc", true],
    ["*", "abc", true],
    ["*", "", true],
    ["*c", "abc", true],
    ["a*", "a", true],
    ["a*", "ab/c", false],
    ["a*/b", "abc/b", true],
    ["a*/b", "a/c/b", false],
    ["a*b*c*d*e*/f", "axbxcxdxexxx/f", true],
    ["a*b*c*d*e*/f", "axbxcxdxe/xxx/f", false],
    ["a*b*c*d*e*/f", "axbxcxdxexxx/fff", false],
    ["a*b?c*x", "abxbbxdbxebxczzx", true],
    ["a*b?c*x", "abxbbxdbxebxczzy", false],
    ["ab[b-d]", "abc", true],
    ["ab[^b-d]", "abc", false],
    ["a\\*b", "a*b", true],
    ["a\\*b", "ab", false],
    ["a?b", "a☺b", true],
    ["a[^a]b", "a☺b", true],
    ["a???b", "a☺b", false],
    ["[a-ζ]*", "α", true],
    ["*[a-ζ]", "A", false],
    ["a?b", "a/b", false],
    ["[\\]a]", "]", true],
    ["[\\-x]", "-", true],
    ["[*]", "*", true],
    ["[z-a]", "m", false],
    ["**/f", "a/f", true],
    ["**/f", "a/b/f", false],
    [".*", ".hidden", true],
    ["*", ".hidden", true],
    ["{a,b}", "a", false],
    ["", "", true],
    ["", "a", false],
    ["?", "\udc80", true],
  ])("%j and %j: %s", (pattern, name, want) => {
    expect(parseGoPattern(pattern).matches(name)).toBe(want);
  });

  test.each(["[]a]", "[-]", "[x-]", "[-x]", "[a-b-c]", "[", "[^", "[^bc", "a[", "\\"])("%j is malformed", (pattern) => {
    let thrown: unknown;
    try {
      parseGoPattern(pattern);
    } catch (error) {
      thrown = error;
    }
    expect(isBuildError(thrown, "DOCKERFILE_BAD_ARGUMENT")).toBe(true);
  });

  test("decides as a search through all ways to match does", () => {
    const slow = (pattern: string, name: string): boolean => {
      if (pattern === "") return name === "";
      const rest = pattern.slice(1);
      if (pattern.startsWith("*"))
        return slow(rest, name) || (name !== "" && !name.startsWith("/") && slow(pattern, name.slice(1)));
      if (name === "") return false;
      const fits = pattern.startsWith("?") ? !name.startsWith("/") : pattern[0] === name[0];
      return fits && slow(rest, name.slice(1));
    };
    const pattern = fc.string({ unit: fc.constantFrom("a", "b", "*", "?", "/"), maxLength: 8 });
    const name = fc.string({ unit: fc.constantFrom("a", "b", "/"), maxLength: 8 });
    fc.assert(
      fc.property(pattern, name, (text, path) => {
        expect(parseGoPattern(text).matches(path)).toBe(slow(text, path));
      }),
      { numRuns: 5000 },
    );
  });

  test("takes little time on a hostile pattern", () => {
    const match = (): void => {
      expect(parseGoPattern(`${"*a".repeat(5_000)}b`).matches("a".repeat(255))).toBe(false);
      expect(parseGoPattern("*a*a*a*a*a*a*a*a*a*a*a*b").matches("a".repeat(4_000))).toBe(false);
    };
    expect(cpuTimeOf(match)).toBeLessThan(2000);
  });
});

describe("hasWildcard", () => {
  test.each([
    ["a/b.c", false],
    ["a*", true],
    ["a?", true],
    ["[a]", true],
    ["a\\*", true],
    ["{a,b}", false],
  ])("%j: %s", (pattern, want) => {
    expect(hasWildcard(pattern)).toBe(want);
  });
});
