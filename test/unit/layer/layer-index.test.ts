import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { LayerIndex, readLayerIndex } from "../../../src/layer/layer-index.ts";
import { comparePaths } from "../../../src/layer/path-order.ts";
import { dir, file, hardlink, makeLayer, opaque, special, symlink, whiteout } from "../../support/layer-builder.ts";
import { useTemporaryDirectory } from "../../support/temporary-directory.ts";

const temporary = useTemporaryDirectory();

test("every kind of row comes back as it was written", () => {
  const capability = { "security.capability": "AQAAAgAgAAAAAAAAAAAAAAAAAAA=" };
  const items = [
    dir("a", { mode: 0o1777, uid: 1, gid: 2 }),
    opaque("a"),
    file("a/file", "content", { mode: 0o4755, uid: 4_294_967_294, xattrs: capability }),
    hardlink("a/link", "a/file"),
    special("b", "block", { device: { major: 8, minor: 1_048_575 } }),
    special("c", "char"),
    symlink("d", "../\udcff\n"),
    whiteout("e"),
    special("f", "fifo", { mtimeSeconds: -5 }),
    file('\udcff"\\\n', "raw"),
  ];
  const layer = makeLayer(temporary.path, items);
  const rows = [...readLayerIndex(layer.indexFile)];
  const content = { digest: expect.anything(), offset: expect.anything() };
  expect(rows).toEqual(
    items.map(({ row }) => ({ digest: null, offset: null, ...row, ...(row.type === "file" && content) })),
  );
});

test("names that are members of Object.prototype are names", () => {
  const names = ["__proto__", "constructor", "hasOwnProperty", "toString"];
  const xattrs = Object.fromEntries([["__proto__", "AA=="]]);
  const layer = makeLayer(
    temporary.path,
    names.map((name) => file(name, name, { xattrs })),
  );
  const index = readLayerIndex(layer.indexFile);
  for (const name of names) expect(index.lookup(name)?.path).toBe(name);
  expect(index.lookup("valueOf")).toBeNull();
  expect(Object.keys(index.lookup("toString")?.xattrs ?? {})).toEqual(["__proto__"]);
});

test("search, lookup and the end of a subtree agree with a plain walk", () => {
  const paths = ["a", "a/b", "a/b/c", "a/b.c", "a-b", "a.b", "ab", "b/c/d", "b/c/e", "c"].sort(comparePaths);
  const layer = makeLayer(
    temporary.path,
    paths.map((path) => file(path, path)),
  );
  const index = readLayerIndex(layer.indexFile);
  const rows = [...index].map((row) => row.path);
  for (const path of [...paths, "", "b", "b/c", "a/b/d", "zz"]) {
    const first = rows.findIndex((row) => comparePaths(row, path) >= 0);
    expect([path, index.search(path)]).toEqual([path, first < 0 ? rows.length : first]);
    expect([path, index.lookup(path)?.path ?? null]).toEqual([path, paths.includes(path) ? path : null]);
    const inside = rows.filter((row) => row === path || row.startsWith(`${path}/`)).length;
    if (inside > 0) expect([path, index.endOfTree(path, first)]).toEqual([path, first + inside]);
  }
});

describe("a damaged index is refused with LAYER_MALFORMED", () => {
  const text = (): string => {
    const layer = makeLayer(temporary.path, [file("a", "x"), file("b", "y"), symlink("c", "a"), special("d", "char")]);
    return readFileSync(layer.indexFile, "utf8");
  };
  const drop = (number: number) => (lines: string[]) => lines.filter((_line, at) => at !== number);
  const put = (number: number, line: string) => (lines: string[]) =>
    lines.map((old, at) => (at === number ? line : old));
  test.each([
    ["empty", () => []],
    ["no header", drop(0)],
    ["a row is missing", drop(2)],
    ["no footer", drop(5)],
    ["not JSON", put(1, "[")],
    ["a row that is an object", put(1, '{"path":"a"}')],
    ["an unknown type", put(1, '["a","z",0,0,0,0,0,0]')],
    ["a negative owner", put(4, '["d","p",420,-1,0,0,0,0]')],
    ["a size beyond 2^53", put(1, '["a","f",420,0,0,0,0,0,9007199254740993,512,"00"]')],
    ["a file without digest", put(1, '["a","f",420,0,0,0,0,0,1,512]')],
    ["a link without target", put(3, '["c","l",420,0,0,0,0,0]')],
    ["a device without number", put(4, '["d","c",420,0,0,0,0,0]')],
  ])("%s", (_name, damage) => {
    const damaged = damage(text().split("\n").slice(0, -1))
      .map((line) => `${line}\n`)
      .join("");
    expect(() => [...new LayerIndex("index", Buffer.from(damaged))]).toThrow(
      expect.objectContaining({ code: "LAYER_MALFORMED" }),
    );
  });

  test.each([1, 2, 50, 200])("cut off by %d bytes", (missing) => {
    const whole = Buffer.from(text());
    expect(() => [...new LayerIndex("index", whole.subarray(0, -missing))]).toThrow(
      expect.objectContaining({ code: "LAYER_MALFORMED" }),
    );
  });
});

test("an index of a later version says so", () => {
  const layer = makeLayer(temporary.path, []);
  const later = readFileSync(layer.indexFile, "utf8").replace('"version":2', '"version":3');
  expect(() => new LayerIndex("index", Buffer.from(later))).toThrow(expect.objectContaining({ code: "STORE_TOO_NEW" }));
});

test("an index that is not there is LAYER_NOT_FOUND", () => {
  expect(() => readLayerIndex(`${temporary.path}/none`)).toThrow(expect.objectContaining({ code: "LAYER_NOT_FOUND" }));
});
