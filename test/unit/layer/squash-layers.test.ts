import { mkdirSync, mkdtempSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { encodeTar } from "../../../src/layer/encode-tar.ts";
import { flattenTree } from "../../../src/layer/flatten-tree.ts";
import { readLayerIndex } from "../../../src/layer/layer-index.ts";
import type { LayerLocation } from "../../../src/layer/layer-location.ts";
import { openRootfsView } from "../../../src/layer/rootfs-view.ts";
import { needsLayersBelow, squashLayers } from "../../../src/layer/squash-layers.ts";
import { layerItems, treeItems } from "../../property/layer-trees.ts";
import {
  dir,
  file,
  hardlink,
  type LayerItem,
  makeLayers,
  opaque,
  symlink,
  whiteout,
} from "../../support/layer-builder.ts";
import { needsOverlay, unpackAll } from "../../support/overlay.ts";
import { useTemporaryDirectory } from "../../support/temporary-directory.ts";

const temporary = useTemporaryDirectory();
const fresh = (): string => mkdtempSync(join(temporary.path, "run-"));

/** The layers from number `kept` on as one. */
function squash(layers: readonly LayerLocation[], kept: number): LayerLocation {
  const into = join(fresh(), "layer");
  mkdirSync(into);
  const merged = layers.slice(kept);
  const below = kept > 0 && !needsLayersBelow(merged) ? null : layers.slice(0, kept);
  const { diffId } = squashLayers({ merged, below, into });
  return { diffId, indexFile: join(into, "index"), tarFile: join(into, "tar"), directory: null };
}

const flattened = (layers: readonly LayerLocation[]): Buffer =>
  Buffer.concat([...encodeTar(flattenTree(openRootfsView(layers)))]);

/** The rows as `path type`, or `path -> target`. */
const rowsOf = (layer: LayerLocation): readonly string[] =>
  [...readLayerIndex(layer.indexFile)].map(({ path, type, target }) =>
    target === null ? `${path} ${type}` : `${path} ${type} ${target}`,
  );

const stacks = fc.tuple(treeItems, fc.array(layerItems, { minLength: 1, maxLength: 4 }), fc.nat());

test("the file system stays what it was, wherever the squashed layers begin", () => {
  fc.assert(
    fc.property(stacks, ([lowest, others, number]) => {
      const layers = makeLayers(fresh(), [lowest, ...others]);
      const kept = number % layers.length;
      const squashed = squash(layers, kept);
      expect(flattened([...layers.slice(0, kept), squashed]).equals(flattened(layers))).toBe(true);
      expect(squash(layers, kept).diffId).toBe(squashed.diffId);
    }),
    { numRuns: 40 },
  );
});

test("squashing in two steps is squashing at once", () => {
  fc.assert(
    fc.property(fc.tuple(treeItems, layerItems, layerItems), ([lowest, ...others]) => {
      const layers = makeLayers(fresh(), [lowest, ...others]);
      const upper = squash(layers, 1);
      expect(squash([...layers.slice(0, 1), upper], 0).diffId).toBe(squash(layers, 0).diffId);
    }),
    { numRuns: 20 },
  );
});

test.skipIf(needsOverlay !== null)(
  `contents may lie in directories${needsOverlay === null ? "" : ` (skipped: ${needsOverlay})`}`,
  async () => {
    const layers = await unpackAll(
      makeLayers(fresh(), [
        [file("a", "1"), hardlink("b", "a")],
        [file("a", "2"), whiteout("c"), dir("d")],
      ]),
    );
    const withoutTars = layers.map((layer) => ({ ...layer, tarFile: null }));
    expect(squash(withoutTars, 0).diffId).toBe(squash(layers, 0).diffId);
  },
);

describe("the rows of the squashed layer", () => {
  const base: readonly LayerItem[] = [dir("d"), file("d/x"), file("f"), dir("e"), dir("e/k"), file("e/k/y")];

  test.each<[string, readonly (readonly LayerItem[])[], readonly string[], boolean]>([
    ["a file made and deleted again leaves nothing", [[file("new")], [whiteout("new")]], [], true],
    [
      "a deletion stays when there is something to delete",
      [[whiteout("f")], [file("g")]],
      ["f whiteout", "g file"],
      true,
    ],
    ["what comes back needs no deletion", [[whiteout("f")], [file("f")]], ["f file"], false],
    [
      "a directory that is deleted and made again hides what was there",
      [[whiteout("d")], [dir("d"), file("d/z")]],
      ["d directory", "d opaque", "d/z file"],
      true,
    ],
    [
      "it has a row of its own even if the upper layer had none for it",
      [[whiteout("d")], [file("d/z")]],
      ["d directory", "d opaque", "d/z file"],
      true,
    ],
    [
      "a directory in place of a file hides nothing",
      [[whiteout("f")], [dir("f"), file("f/z")]],
      ["f directory", "f/z file"],
      true,
    ],
    [
      "a file in place of a directory, and a directory again",
      [[file("d")], [dir("d")], [file("d/n")]],
      ["d directory", "d opaque", "d/n file"],
      true,
    ],
    ["a symlink in place of a directory", [[dir("d"), file("d/q")], [symlink("d", "f")]], ["d symlink f"], false],
    [
      "a directory that only the lower layers have a row for gets none",
      [[file("e/k/n")], [file("e/k/m")]],
      ["e/k/m file", "e/k/n file"],
      false,
    ],
    [
      "an opaque mark alone keeps the directory's metadata",
      [[opaque("d")], [file("d/n")]],
      ["d opaque", "d/n file"],
      true,
    ],
    [
      "deletions below an opaque directory are said by it already",
      [[whiteout("e/k/y")], [dir("e"), opaque("e"), dir("e/k")]],
      ["e directory", "e opaque", "e/k directory"],
      true,
    ],
    [
      "and so are those of what the opaque directory got anew",
      [[dir("e"), opaque("e"), dir("e/k"), file("e/k/y")], [whiteout("e/k/y")]],
      ["e directory", "e opaque", "e/k directory"],
      true,
    ],
    [
      "a link whose first name was replaced becomes the file",
      [[file("1", "c"), hardlink("2", "1"), hardlink("3", "1")], [file("1", "other")]],
      ["1 file", "2 file", "3 hardlink 2"],
      false,
    ],
    [
      "a link whose first name was deleted becomes the file, with its content",
      [[file("1", "c"), hardlink("2", "1")], [whiteout("1")]],
      ["2 file"],
      true,
    ],
    ["a directory emptied again stays", [[file("q/x")], [whiteout("q/x")]], ["q directory"], true],
  ])("%s", (_name, upper, rows, needsBelow) => {
    const layers = makeLayers(fresh(), [base, ...upper]);
    const squashed = squash(layers, 1);
    expect(rowsOf(squashed)).toEqual(rows);
    expect(needsLayersBelow(layers.slice(1))).toBe(needsBelow);
    expect(flattened([...layers.slice(0, 1), squashed]).equals(flattened(layers))).toBe(true);
  });

  test("with nothing below there are no marks, and every directory has a row", () => {
    const layers = makeLayers(fresh(), [base, [whiteout("f"), file("n/m"), opaque("d"), whiteout("nothing")]]);
    expect(rowsOf(squash(layers, 0))).toEqual([
      "d directory",
      "e directory",
      "e/k directory",
      "e/k/y file",
      "n directory",
      "n/m file",
    ]);
  });

  test("metadata and extended attributes stay", () => {
    const facts = { mode: 0o4711, uid: 7, gid: 8, mtimeSeconds: 9, xattrs: { "user.a": "AQI=" } };
    const layers = makeLayers(fresh(), [[dir("a", facts), file("a/f", "x", facts)], [file("a/g")]]);
    const rows = [...readLayerIndex(squash(layers, 0).indexFile)];
    expect(rows.slice(0, 2)).toMatchObject([
      { path: "a", ...facts },
      { path: "a/f", ...facts },
    ]);
  });
});
