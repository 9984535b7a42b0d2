import { expect, test } from "vitest";
import { entryCells, formatMode } from "../../../src/cli/format-entry.ts";
import { parseImagePath } from "../../../src/cli/image-path.ts";

test.each([
  ["file", 0o644, "-rw-r--r--"],
  ["directory", 0o1777, "drwxrwxrwt"],
  ["directory", 0o1776, "drwxrwxrwT"],
  ["file", 0o4755, "-rwsr-xr-x"],
  ["file", 0o6644, "-rwSr-Sr--"],
  ["symlink", 0o777, "lrwxrwxrwx"],
  ["fifo", 0, "p---------"],
] as const)("a %s with mode %o is shown as ls does", (type, mode, text) => {
  expect(formatMode({ type, mode })).toBe(text);
});

const entry = {
  path: "dev/null",
  type: "char",
  mode: 0o666,
  uid: 1,
  gid: 2,
  mtimeSeconds: 1_000_000_000,
  mtimeNanos: 0,
  xattrs: null,
  size: 0,
  target: null,
  device: { major: 1, minor: 3 },
  inode: null,
} as const;

test("devices show their number, links their target, impossible times their seconds", () => {
  expect(entryCells(entry)).toEqual(["crw-rw-rw-", "1:2", "1,3", "2001-09-09 01:46", "null"]);
  const link = { ...entry, type: "symlink", device: null, target: "../x", mtimeSeconds: 1e15 } as const;
  expect(entryCells(link)).toEqual(["lrw-rw-rw-", "1:2", "0", "@1000000000000000", "null -> ../x"]);
});

test.each([
  ["app", "app", null],
  ["ns/app:1.0", "ns/app:1.0", null],
  ["app:/etc", "app", "/etc"],
  ["host:5000/ns/app:1.0:/a:/b", "host:5000/ns/app:1.0", "/a:/b"],
])("%s is the image %s and the path %s", (text, image, path) => {
  expect(parseImagePath(text)).toEqual({ image, path });
});
