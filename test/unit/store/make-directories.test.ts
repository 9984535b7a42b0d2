import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { makeDirectories } from "../../../src/store/make-directories.ts";

let top: string;
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), "make-directories-"));
});
afterEach(() => rmSync(top, { recursive: true, force: true }));

test("makes what is missing and says where that begins", async () => {
  mkdirSync(join(top, "a"));
  expect(await makeDirectories(join(top, "a/b/c"))).toBe(join(top, "a/b"));
  expect(existsSync(join(top, "a/b/c"))).toBe(true);
  expect(await makeDirectories(join(top, "a/b/c"))).toBeNull();
});

test("a file in the way is an error", async () => {
  writeFileSync(join(top, "file"), "");
  await expect(makeDirectories(join(top, "file"))).rejects.toMatchObject({ code: "EEXIST" });
  await expect(makeDirectories(join(top, "file/below"))).rejects.toMatchObject({ code: "ENOTDIR" });
});

test.runIf(existsSync("/proc/self"))(
  "a file system where nothing can be made is an error, not an endless loop",
  async () => {
    await expect(makeDirectories("/proc/x/y")).rejects.toMatchObject({ code: "ENOENT" });
  },
);
