import { closeSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { lock, tryLock, unlock } from "../../../src/sys/lock.ts";
import { syncFileSystem } from "../../../src/sys/sync.ts";

let directory: string;
let open: number[];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "lock-"));
  open = [];
});
afterEach(() => {
  for (const fd of open) closeSync(fd);
  rmSync(directory, { recursive: true });
});
const file = (): number => {
  const fd = openSync(join(directory, "lock"), "a");
  open.push(fd);
  return fd;
};

test("shared locks go together, an exclusive one stands alone", () => {
  const [a, b, c] = [file(), file(), file()];
  expect([tryLock(a, "shared"), tryLock(b, "shared"), tryLock(c, "exclusive")]).toEqual([true, true, false]);
  unlock(a);
  unlock(b);
  expect(tryLock(c, "exclusive")).toBe(true);
  expect(tryLock(a, "shared")).toBe(false);
});

test("closing the file releases its lock", () => {
  const holder = openSync(join(directory, "lock"), "a");
  lock(holder, "exclusive");
  const waiter = file();
  expect(tryLock(waiter, "exclusive")).toBe(false);
  closeSync(holder);
  expect(tryLock(waiter, "exclusive")).toBe(true);
});

test("a file system is synced by any file on it; a closed descriptor is an error", () => {
  const fd = openSync(directory, "r");
  syncFileSystem(fd);
  closeSync(fd);
  expect(() => syncFileSystem(fd)).toThrow(/EBADF/);
});
