import { describe, expect, test } from "vitest";
import { baseNameOf, childPath, comparePaths, parentOf } from "../../../src/layer/path-order.ts";

describe("paths sort component by component, in byte order", () => {
  test.each([
    ["a directory before its content", "a", "a/b"],
    ["content before a longer name", "a/b", "a.b"],
    ["content before a name with a space", "a/b", "a b"],
    ["ASCII by byte", "A", "a"],
    ["letters beyond ASCII behind it", "z", "é"],
    ["outside the basic plane behind its end", "\uffee", "😀"],
    ["a raw byte 0x80 before é, whose first byte is 0xc3", "\udc80", "é"],
    ["a raw byte 0xff behind everything", "😀", "\udcff"],
    ["content of an odd name before a longer one", "\udcff/z", "\udcff a"],
  ])("%s", (_name, first, second) => {
    expect(comparePaths(first, second)).toBeLessThan(0);
    expect(comparePaths(second, first)).toBeGreaterThan(0);
    expect(comparePaths(first, first)).toBe(0);
  });
});

test("a path is its directory and its name", () => {
  expect([parentOf("a/b/c"), baseNameOf("a/b/c"), childPath("a/b", "c")]).toEqual(["a/b", "c", "a/b/c"]);
  expect([parentOf("c"), baseNameOf("c"), childPath("", "c")]).toEqual(["", "c", "c"]);
});
