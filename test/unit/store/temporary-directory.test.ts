import { closeSync, mkdirSync, openSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { nameTemporaryDirectory, sweepTemporaryDirectories } from "../../../src/store/temporary-directory.ts";
import { tryLock } from "../../../src/sys/lock.ts";
import { useTemporaryDirectory } from "../../support/temporary-directory.ts";

const temporary = useTemporaryDirectory();

test("a directory that a sweeper has just taken is made again once that has its other name", async () => {
  const directory = nameTemporaryDirectory(temporary.path);
  mkdirSync(directory.path);
  const sweeper = openSync(join(directory.path, "lock"), "a");
  expect(tryLock(sweeper, "exclusive")).toBe(true);

  const made = directory.make();
  for (let turn = 0; turn < 20; turn += 1) await setImmediate();
  renameSync(directory.path, join(temporary.path, "taken.dead"));
  closeSync(sweeper);
  await made;

  writeFileSync(join(directory.path, "draft"), "");
  await sweepTemporaryDirectories(temporary.path);
  expect(readdirSync(directory.path).sort()).toEqual(["draft", "lock"]);
  await directory.remove();
});

test("what a process left that ended is removed, what one uses is kept", async () => {
  const used = nameTemporaryDirectory(temporary.path);
  await used.make();
  mkdirSync(join(temporary.path, "left", "nested"), { recursive: true });
  writeFileSync(join(temporary.path, "left", "lock"), "");

  await sweepTemporaryDirectories(temporary.path);
  expect(readdirSync(temporary.path).map((name) => join(temporary.path, name))).toEqual([used.path]);
  await used.remove();
  expect(readdirSync(temporary.path)).toEqual([]);
});
