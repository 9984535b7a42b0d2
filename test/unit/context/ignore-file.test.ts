import { describe, expect, test } from "vitest";
import { isBuildError } from "../../../src/base/errors.ts";
import { cleanPath } from "../../../src/context/clean-path.ts";
import { parseIgnoreFile } from "../../../src/context/ignore-file.ts";
import { cpuTimeOf } from "../../support/cpu-time.ts";

const patternsOf = (text: string | Buffer): readonly string[] =>
  parseIgnoreFile(Buffer.from(text), ".dockerignore").map(({ pattern }) => pattern);

describe("parseIgnoreFile", () => {
  test.each<[string, string, readonly string[]]>([
    ["an empty file", "", []],
    ["plain lines", "test1\n/test2\n/a/file/here\n\nlastfile", ["test1", "test2", "a/file/here", "lastfile"]],
    ["a comment only at the first column", "# no\n  # yes\n#no", ["# yes"]],
    ["inverted lines", "! /inverted/abs/path\n!  inverted ", ["!inverted/abs/path", "!inverted"]],
    ["white space around", " \t two \v\f\n\u00a0x\u3000", ["two", "x"]],
    ["CRLF", "a\r\nb\r\n", ["a", "b"]],
    ["a byte order mark", "\ufeff# no\na", ["a"]],
    ["a byte order mark before a pattern", "\ufeffa\n\ufeffb", ["a", "\ufeffb"]],
    ["cleaned paths", "./four/\na//b/../c\n..\n/\n.", ["four", "a/c", "..", "/", "."]],
    ["only white space", "   \n\t", []],
  ])("%s", (_, text, want) => {
    expect(patternsOf(text)).toEqual(want);
  });

  test("bytes that are not UTF-8 are kept", () => {
    expect(patternsOf(Buffer.from([0x61, 0xff, 0x0a, 0x62]))).toEqual(["a\udcff", "b"]);
  });

  test("lines are counted from 1, comments and blanks included", () => {
    expect(parseIgnoreFile(Buffer.from("# c\n\na\nb"), "f").map(({ line }) => line)).toEqual([3, 4]);
  });

  test.each([
    ["a\n!\nb", '.dockerignore:2: pattern "!": illegal exclusion pattern: "!"'],
    ["!/", '.dockerignore:1: pattern "!/": illegal exclusion pattern: "!"'],
    ["!   ", '.dockerignore:1: pattern "!"'],
    ["ok\n\n[a", '.dockerignore:3: pattern "[a": syntax error in pattern'],
    [`${"x".repeat(70_000)}`, ".dockerignore:1: pattern"],
  ])("%#: a malformed line is named", (text, want) => {
    let thrown: unknown;
    try {
      parseIgnoreFile(Buffer.from(text), ".dockerignore");
    } catch (error) {
      thrown = error;
    }
    expect(isBuildError(thrown, "CONTEXT_IGNORE_INVALID")).toBe(true);
    expect((thrown as Error).message).toContain(want);
    expect((thrown as Error).message.length).toBeLessThan(300);
    expect(thrown).toMatchObject({ location: { file: ".dockerignore" } });
  });

  test("a megabyte of white space takes little time", () => {
    const read = (): void =>
      expect(patternsOf(`a${" ".repeat(1_000_000)}b`.slice(0, 60_000) + "\t".repeat(900_000))).toEqual(["a"]);
    expect(cpuTimeOf(read)).toBeLessThan(2000);
  });
});

describe("cleanPath", () => {
  test.each([
    ["", "."],
    [".", "."],
    ["/", "/"],
    ["//a//", "/a"],
    ["a/..", "."],
    ["../../a", "../../a"],
    ["/../a", "/a"],
    ["a/../../b", "../b"],
    ["a/./b/../c/", "a/c"],
    ["!/a", "!/a"],
  ])("%j is %j", (path, want) => {
    expect(cleanPath(path)).toBe(want);
  });
});
