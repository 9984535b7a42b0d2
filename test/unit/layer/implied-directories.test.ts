import { existsSync, lstatSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { makeImpliedDirectories } from "../../../src/layer/implied-directories.ts";
import { readLayerIndex } from "../../../src/layer/layer-index.ts";
import { dir, file, type LayerItem, makeLayer, opaque, whiteout } from "../../support/layer-builder.ts";
import { needsRoot } from "../../support/skip-reason.ts";
import { useTemporaryDirectory } from "../../support/temporary-directory.ts";

const temporary = useTemporaryDirectory();

function make(layers: readonly (readonly LayerItem[])[]): string {
  const directory = join(temporary.path, "implied");
  const locations = layers.map((items, at) => makeLayer(join(temporary.path, `layer-${at}`), items));
  const isMade = makeImpliedDirectories({ layers: locations, directory, overlayXattrs: "trusted" });
  expect(isMade).toBe(existsSync(directory));
  return directory;
}

test.each<[string, LayerItem[], string[]]>([
  ["none where every directory has a row", [dir("a"), file("a/b"), dir("c")], []],
  ["parents first", [file("a/b/c/d"), file("a/b/e"), file("x/y")], ["a", "a/b", "a/b/c", "x"]],
  ["between directories with rows", [dir("a"), file("a/b/c"), dir("a/b.c"), file("a/b.c/d")], ["a/b"]],
  ["of deletions and opaque marks", [whiteout("a/b"), opaque("c/d"), file("c/d/e")], ["a", "c", "c/d"]],
  ["not of a directory that is opaque itself", [dir("a"), opaque("a"), file("a/b")], []],
])("an index knows its implied directories: %s", (_name, items, want) => {
  expect(readLayerIndex(makeLayer(temporary.path, items).indexFile).impliedDirectories).toEqual(want);
});

describe("implied directories are made", () => {
  test("as the lower layers have them, with what they lie in", ({ skip }) => {
    if (needsRoot !== null) skip(needsRoot);
    const directory = make([
      [dir("tmp", { mode: 0o1777 }), dir("etc", { uid: 3 }), dir("etc/app", { mode: 0o700, gid: 4 }), dir("other")],
      [file("tmp/x"), file("etc/app/conf"), file("new/file")],
    ]);
    const seen = ["tmp", "etc", "etc/app"].map((path) => {
      const { mode, uid, gid, mtimeMs } = lstatSync(join(directory, path));
      return [path, (mode & 0o7777).toString(8), uid, gid, mtimeMs / 1000];
    });
    expect(seen).toEqual([
      ["tmp", "1777", 0, 0, 1_600_000_000],
      ["etc", "755", 3, 0, 1_600_000_000],
      ["etc/app", "700", 0, 4, 1_600_000_000],
    ]);
    expect(existsSync(join(directory, "other"))).toBe(false);
    expect(existsSync(join(directory, "new"))).toBe(false);
  });

  test.each<[string, LayerItem[][]]>([
    ["of the lowest layer", [[file("a/b")]]],
    ["no lower layer has", [[dir("x")], [file("a/b")]]],
    ["a higher layer deletes", [[dir("a", { mode: 0o700 })], [file("a/b")], [whiteout("a")]]],
    ["a higher layer replaces", [[dir("a", { mode: 0o700 })], [file("a/b")], [file("a")]]],
  ])("but not what %s", (_name, layers) => {
    expect(existsSync(make(layers))).toBe(false);
  });
});
