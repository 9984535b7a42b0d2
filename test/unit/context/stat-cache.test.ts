import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { type Digest, digestOf } from "../../../src/base/digest.ts";
import { type DirectoryTree, openDirectoryTree } from "../../../src/context/directory-tree.ts";
import { isSettled, loadStatCache, mergeStatCache, StatCacheRecorder } from "../../../src/context/stat-cache.ts";
import { useTemporaryDirectory } from "../../support/temporary-directory.ts";

const area = useTemporaryDirectory();
let root: string;
let cache: string;

beforeEach(() => {
  root = join(area.path, "context");
  cache = join(area.path, "stat-cache");
  mkdirSync(root);
});

const secondNs = 1_000_000_000n;
const now = (): bigint => BigInt(Date.now()) * 1_000_000n;
/** The clock of a build that begins when everything written so far is long settled. */
const later = (): bigint => now() + 60n * secondNs;

/** One build: digests of all files of the context, remembered for the next one. */
function build(clock: () => bigint = later): {
  readonly tree: DirectoryTree;
  readonly digests: Record<string, Digest>;
} {
  const tree = openDirectoryTree({ kind: "directory", root, ignore: [], ignoreFile: null, statCache: cache }, clock);
  const files = tree.list("").filter(({ type }) => type === "file");
  const digests = Object.fromEntries(files.map((entry) => [entry.path, tree.digest(entry)]));
  mergeStatCache(cache, [tree.newDigests()]);
  return { tree, digests };
}

describe("a second build", () => {
  test("without changes opens no file", () => {
    for (let at = 0; at < 50; at += 1) writeFileSync(join(root, `f${at}`), `content ${at}`);
    const first = build();
    expect(first.tree.filesRead).toBe(50);
    const second = build();
    expect(second.tree.filesRead).toBe(0);
    expect(second.tree.bytesRead).toBe(0);
    expect(second.digests).toEqual(first.digests);
  });

  test("reads only what changed", () => {
    writeFileSync(join(root, "a"), "1");
    writeFileSync(join(root, "b"), "2");
    build();
    appendFileSync(join(root, "b"), "3");
    const { tree, digests } = build();
    expect(tree.filesRead).toBe(1);
    expect(digests).toEqual({ a: digestOf("1"), b: digestOf("23") });
    expect(build().tree.filesRead).toBe(0);
  });

  test("reads a file again that was written just before the first build", () => {
    writeFileSync(join(root, "a"), "1");
    expect(build(now).tree.filesRead).toBe(1);
    expect(build(now).tree.filesRead).toBe(1);
    expect(build(later).tree.filesRead).toBe(1);
    expect(build(later).tree.filesRead).toBe(0);
  });

  test("in which nothing is asked for reads no stat cache", () => {
    writeFileSync(cache, "not a cache");
    chmodSync(cache, 0);
    expect(
      openDirectoryTree({ kind: "directory", root, ignore: [], ignoreFile: null, statCache: cache }).list(""),
    ).toEqual([]);
  });
});

describe("an edit that hides", () => {
  const file = (): string => join(root, "f");
  const sameTime = (work: () => void): void => {
    const { atimeNs, mtimeNs } = statSync(file(), { bigint: true });
    work();
    const at = (ns: bigint): string => `@${ns / secondNs}.${String(ns % secondNs).padStart(9, "0")}`;
    execFileSync("touch", ["-a", "-d", at(atimeNs), file()]);
    execFileSync("touch", ["-m", "-d", at(mtimeNs), file()]);
    expect(statSync(file(), { bigint: true }).mtimeNs).toBe(mtimeNs);
  };

  test.each<[string, () => void]>([
    ["same size", () => writeFileSync(file(), "BBBB")],
    ["same size and mtime", () => sameTime(() => writeFileSync(file(), "BBBB"))],
    [
      "same size and mtime, through rename",
      () =>
        sameTime(() => {
          writeFileSync(join(area.path, "new"), "BBBB");
          renameSync(join(area.path, "new"), file());
        }),
    ],
    [
      "same size and mtime, inode used again",
      () =>
        sameTime(() => {
          rmSync(file());
          writeFileSync(file(), "BBBB");
        }),
    ],
    [
      "swapped with an older file",
      () => {
        renameSync(file(), join(area.path, "spare"));
        renameSync(join(area.path, "older"), file());
      },
    ],
  ])("is seen: %s", (_, edit) => {
    writeFileSync(join(area.path, "older"), "BBBB");
    writeFileSync(file(), "AAAA");
    utimesSync(file(), 1_000_000_000, 1_000_000_000);
    utimesSync(join(area.path, "older"), 1_000_000_000, 1_000_000_000);
    expect(build().digests.f).toBe(digestOf("AAAA"));
    edit();
    expect(build().digests.f).toBe(digestOf("BBBB"));
  });

  test("is seen in each of many builds in a row, with the real clock", () => {
    for (let round = 0; round < 300; round += 1) {
      const content = String(round).padStart(6, "0");
      writeFileSync(file(), content);
      utimesSync(file(), 1_000_000_000, 1_000_000_000);
      expect(build(now).digests.f).toBe(digestOf(content));
    }
  });
});

describe("isSettled", () => {
  const facts = (ctimeNs: bigint): BigInt64Array => BigInt64Array.of(1n, 2n, 3n, 4n, ctimeNs);

  test.each<[string, bigint, bigint, boolean]>([
    ["changed this moment", 10_500_000_000n, 10_500_000_000n, false],
    ["changed within the tick", 10_500_000_000n, 10_599_000_000n, false],
    ["changed a tick ago", 10_500_000_000n, 10_601_000_000n, true],
    ["changed in the future", 10_500_000_000n, 9_000_000_000n, false],
    ["whole seconds within two seconds", 10_000_000_000n, 11_900_000_000n, false],
    ["whole seconds, older", 10_000_000_000n, 12_100_000_000n, true],
  ])("%s", (_, ctimeNs, nowNs, want) => {
    expect(isSettled(facts(ctimeNs), nowNs)).toBe(want);
  });
});

describe("the file", () => {
  const facts = (inode: bigint, size = 1n): BigInt64Array => BigInt64Array.of(7n, inode, size, -5n, 5n);
  const rowsOf = (...rows: readonly [BigInt64Array, string][]): BigInt64Array => {
    const recorder = new StatCacheRecorder();
    for (const [row, content] of rows) recorder.add(row, digestOf(content), now());
    return recorder.rows();
  };

  test("finds what was put in, in any order, and nothing else", () => {
    const inodes = [5n, -(2n ** 63n), 2n ** 63n - 1n, 0n, 3n];
    mergeStatCache(cache, [rowsOf(...inodes.map((inode): [BigInt64Array, string] => [facts(inode), `${inode}`]))]);
    const loaded = loadStatCache(cache);
    for (const inode of inodes) expect(loaded.find(facts(inode))).toBe(digestOf(`${inode}`));
    expect(loaded.find(facts(4n))).toBeNull();
    expect(loaded.find(facts(5n, 2n))).toBeNull();
    expect(loaded.find(BigInt64Array.of(8n, 5n, 1n, -5n, 5n))).toBeNull();
  });

  test("keeps rows of others and the newest of one inode", () => {
    mergeStatCache(cache, [rowsOf([facts(1n), "one"], [facts(2n), "old"])]);
    mergeStatCache(cache, [rowsOf([facts(2n, 9n), "new"]), rowsOf([facts(3n), "three"])]);
    const loaded = loadStatCache(cache);
    expect(loaded.find(facts(1n))).toBe(digestOf("one"));
    expect(loaded.find(facts(2n))).toBeNull();
    expect(loaded.find(facts(2n, 9n))).toBe(digestOf("new"));
    expect(loaded.find(facts(3n))).toBe(digestOf("three"));
  });

  test("is the same whether rows come one by one, in groups or all at once", () => {
    const row = fc
      .tuple(fc.bigInt(-9n, 9n), fc.nat(3))
      .map(([inode, size]) => rowsOf([facts(inode, BigInt(size)), "x"]));
    fc.assert(
      fc.property(fc.array(row, { minLength: 1, maxLength: 30 }), fc.nat(30), (rows, split) => {
        const written = [rows.map((one) => [one]), [rows.slice(0, split), rows.slice(split)], [rows]].map(
          (merges, at) => {
            const file = `${cache}-${at}`;
            rmSync(file, { force: true });
            for (const groups of merges) mergeStatCache(file, groups);
            return readFileSync(file, "hex");
          },
        );
        expect(new Set(written).size).toBe(1);
      }),
      { numRuns: 50, seed: 3 },
    );
  });

  test("is there after the first build, though nothing may be remembered yet, and then only written for what is new", () => {
    mergeStatCache(cache, [new BigInt64Array(0)]);
    const first = statSync(cache);
    mergeStatCache(cache, [new BigInt64Array(0)]);
    expect(statSync(cache).ino).toBe(first.ino);
    expect(loadStatCache(cache).find(facts(1n))).toBe(null);
  });

  test("is private, and leaves nothing beside it", () => {
    mergeStatCache(cache, [rowsOf([facts(1n), "one"])]);
    expect(statSync(cache).mode & 0o777).toBe(0o600);
    expect(readdirSync(area.path).sort()).toEqual(["context", "stat-cache"]);
  });

  test.each<[string, () => void]>([
    ["missing", () => rmSync(cache)],
    ["empty", () => writeFileSync(cache, "")],
    ["foreign", () => writeFileSync(cache, "DIRC".repeat(100))],
    ["cut off", () => truncateSync(cache, statSync(cache).size - 3)],
    ["a row short", () => truncateSync(cache, statSync(cache).size - 80)],
    [
      "bit rot",
      () => {
        const bytes = readFileSync(cache);
        bytes[bytes.length - 30] = (bytes.at(-30) ?? 0) ^ 1;
        writeFileSync(cache, bytes);
      },
    ],
    [
      "a directory",
      () => {
        rmSync(cache);
        mkdirSync(cache);
      },
    ],
  ])("counts as empty when it is damaged: %s", (_, damage) => {
    mergeStatCache(cache, [rowsOf([facts(1n), "one"], [facts(2n), "two"])]);
    damage();
    expect(loadStatCache(cache).find(facts(1n))).toBeNull();
  });
});
