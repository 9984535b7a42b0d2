import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { removeTree } from "../../../src/store/remove-tree.ts";
import { nameTemporaryDirectory, sweepTemporaryDirectories } from "../../../src/store/temporary-directory.ts";
import { useTemporaryDirectory } from "../../support/temporary-directory.ts";

const temporary = useTemporaryDirectory();
const inside = (name: string): string => join(temporary.path, name);

beforeEach(() => mkdirSync(inside("scratch")));

test("what is not there is no error", async () => {
  await removeTree(inside("none"), inside("scratch"));
});

test("removes a file", async () => {
  writeFileSync(inside("file"), "");
  await removeTree(inside("file"), inside("scratch"));
  expect(readdirSync(temporary.path)).toEqual(["scratch"]);
});

test("follows no link, wherever it is", async () => {
  mkdirSync(inside("victim"));
  writeFileSync(inside("victim/kept"), "");
  symlinkSync(inside("victim"), inside("top"));
  mkdirSync(inside("tree"));
  symlinkSync(inside("victim"), inside("tree/link"));
  await removeTree(inside("top"), inside("scratch"));
  await removeTree(inside("tree"), inside("scratch"));
  expect(readdirSync(temporary.path).sort()).toEqual(["scratch", "victim"]);
  expect(readdirSync(inside("victim"))).toEqual(["kept"]);
});

test("removes names that are no text, and directories nobody may enter", async () => {
  mkdirSync(inside("tree/closed/inner"), { recursive: true });
  const name = Buffer.concat([Buffer.from(`${inside("tree/closed")}/`), Buffer.from([0xff, 0xfe, 0x0a])]);
  writeFileSync(name, "");
  mkdirSync(Buffer.concat([name, Buffer.from("d")]));
  chmodSync(inside("tree/closed/inner"), 0o000);
  chmodSync(inside("tree/closed"), 0o555);
  await removeTree(inside("tree"), inside("scratch"));
  expect(readdirSync(inside("scratch"))).toEqual([]);
  expect(existsSync(inside("tree"))).toBe(false);
});

test("removes many files", async () => {
  mkdirSync(inside("tree"));
  for (let at = 0; at < 500; at += 1) writeFileSync(inside(`tree/${at}`), "");
  await removeTree(inside("tree"), inside("scratch"));
  expect(existsSync(inside("tree"))).toBe(false);
});

test("removes a tree that is deeper than any path can be", async () => {
  // Built from the inside out, because the whole path is too long to name.
  mkdirSync(inside("tree"));
  for (let depth = 0; depth < 300; depth += 1) {
    const outer = mkdtempSync(inside("outer-"));
    renameSync(inside("tree"), join(outer, "n".repeat(50)));
    renameSync(outer, inside("tree"));
  }
  await removeTree(inside("tree"), inside("scratch"));
  expect(readdirSync(inside("scratch"))).toEqual([]);
  expect(existsSync(inside("tree"))).toBe(false);
});

test("what several processes remove at the same time is removed, and none fails", async () => {
  const parent = join(temporary.path, "tmp");
  mkdirSync(parent);
  const owned = nameTemporaryDirectory(parent);
  await owned.make();
  for (let at = 0; at < 600; at += 1) {
    mkdirSync(join(owned.path, `${at % 6}`, `${at}`), { recursive: true });
    writeFileSync(join(owned.path, `${at % 6}`, `${at}`, "file"), "");
  }
  let isOver = false;
  const removing = owned.remove().finally(() => {
    isOver = true;
  });
  while (!isOver) await sweepTemporaryDirectories(parent);
  await removing;
  await sweepTemporaryDirectories(parent);
  expect(readdirSync(parent)).toEqual([]);
});
