import { closeSync, lstatSync, mkdtempSync, openSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { makeDirectoryAt, makeNode, openAt, removeAt, setModifiedTimeOf, setTimes } from "../../../src/sys/files.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "files-"));
});
afterEach(() => rmSync(directory, { recursive: true }));
const at = (name: string): string => join(directory, name);

test("times are set to the nanosecond, before 1970 too", () => {
  writeFileSync(at("f"), "");
  setTimes(Buffer.from(at("f")), 1_700_000_000, 123_456_789);
  expect(lstatSync(at("f"), { bigint: true }).mtimeNs).toBe(1_700_000_000_123_456_789n);
  setTimes(Buffer.from(at("f")), -5, 0);
  expect(lstatSync(at("f"), { bigint: true }).mtimeNs).toBe(-5_000_000_000n);
});

test("times of a link are its own", () => {
  writeFileSync(at("f"), "");
  symlinkSync("f", at("link"));
  const before = lstatSync(at("f")).mtimeMs;
  setTimes(Buffer.from(at("link")), 1, 0);
  expect(lstatSync(at("link")).mtimeMs).toBe(1000);
  expect(lstatSync(at("f")).mtimeMs).toBe(before);
});

test("the modification time of an open file is set alone", () => {
  writeFileSync(at("f"), "");
  setTimes(Buffer.from(at("f")), 5, 0);
  const fd = openSync(at("f"), "r");
  const times = [9_000_000_001n, -1n].map((mtimeNs) => {
    setModifiedTimeOf(fd, mtimeNs);
    const status = lstatSync(at("f"), { bigint: true });
    return [status.atimeNs, status.mtimeNs];
  });
  closeSync(fd);
  expect(times).toEqual([
    [5_000_000_000n, 9_000_000_001n],
    [5_000_000_000n, -1n],
  ]);
});

test("a fifo needs no privilege", () => {
  makeNode(Buffer.from(at("fifo")), "fifo", 0o600, 0, 0);
  expect(lstatSync(at("fifo")).isFIFO()).toBe(true);
});

test.skipIf(process.getuid?.() !== 0).each([
  ["char", 0, 0],
  ["char", 1, 3],
  ["block", 259, 70_000],
] as const)("a %s device %i:%i has its numbers", (type, major, minor) => {
  makeNode(Buffer.from(at("d")), type, 0o600, major, minor);
  const status = lstatSync(at("d"));
  expect(type === "char" ? status.isCharacterDevice() : status.isBlockDevice()).toBe(true);
  expect([(status.rdev >>> 8) & 0xfff, (status.rdev & 0xff) | ((status.rdev >>> 12) & 0xfff00)]).toEqual([
    major,
    minor,
  ]);
});

test("names inside an open directory are made and removed without its path", () => {
  const fd = openSync(directory, "r");
  const name = Buffer.from([0x61, 0xff]);
  expect(makeDirectoryAt(fd, name, 0o700)).toBe(true);
  expect(makeDirectoryAt(fd, name, 0o700)).toBe(false);
  closeSync(openAt(fd, Buffer.from("f"), 0o100 | 1, 0o600));
  expect(readdirSync(directory)).toHaveLength(2);
  removeAt(fd, name, "directory");
  removeAt(fd, Buffer.from("f"), "file");
  expect(readdirSync(directory)).toEqual([]);
  expect(() => openAt(fd, Buffer.from("f"), 0)).toThrow(/openat "f": no such file/);
  closeSync(fd);
});
