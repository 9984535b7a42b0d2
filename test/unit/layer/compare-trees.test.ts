import { join } from "node:path";
import { expect, test } from "vitest";
import { compareTrees } from "../../../src/layer/compare-trees.ts";
import { openRootfsView } from "../../../src/layer/rootfs-view.ts";
import {
  dir,
  file,
  hardlink,
  type LayerItem,
  makeLayer,
  special,
  symlink,
  whiteout,
} from "../../support/layer-builder.ts";
import { useTemporaryDirectory } from "../../support/temporary-directory.ts";

const temporary = useTemporaryDirectory();
let made = 0;

const treeOf = (...layers: readonly (readonly LayerItem[])[]) =>
  openRootfsView(
    layers.map((items) => {
      made += 1;
      return makeLayer(join(temporary.path, `layer-${made}`), items);
    }),
  );

const changes = (before: readonly LayerItem[], after: readonly LayerItem[]): string[] =>
  [...compareTrees(treeOf(before), treeOf(after))].map(({ kind, path }) => `${kind} ${path}`);

test.each<[string, LayerItem, LayerItem, boolean]>([
  ["nothing", file("f", "a"), file("f", "a"), false],
  ["its time", file("f", "a"), file("f", "a", { mtimeSeconds: 5 }), false],
  ["its content, at the same size", file("f", "a"), file("f", "b"), true],
  ["its mode", file("f", "a"), file("f", "a", { mode: 0o4755 }), true],
  ["its owner", file("f", "a"), file("f", "a", { uid: 1 }), true],
  ["its group", file("f", "a"), file("f", "a", { gid: 1 }), true],
  ["an attribute", file("f", "a"), file("f", "a", { xattrs: { "user.x": "AQ==" } }), true],
  [
    "an attribute's value",
    dir("f", { xattrs: { "user.x": "AA==" } }),
    dir("f", { xattrs: { "user.x": "AQ==" } }),
    true,
  ],
  ["its type", file("f"), dir("f"), true],
  ["a link's target", symlink("f", "a"), symlink("f", "b"), true],
  ["a device's number", special("f", "char"), special("f", "char", { device: { major: 1, minor: 5 } }), true],
])("a file that differs in %s", (_, before, after, differs) => {
  expect(changes([before], [after])).toEqual(differs ? ["changed f"] : []);
});

test("sizes are told, and directories that cannot differ are not looked into", () => {
  const before = treeOf([dir("a"), file("a/f", "1"), dir("b"), file("b/f", "1"), dir("gone"), file("gone/f", "12")]);
  const after = treeOf([dir("a"), file("a/f", "123"), dir("b"), file("b/f", "123")]);
  expect([...compareTrees(before, after, (directory) => directory === "a")]).toEqual([
    { kind: "changed", path: "a/f", bytesBefore: 1, bytesAfter: 3 },
    { kind: "removed", path: "gone", bytesBefore: 0, bytesAfter: null },
    { kind: "removed", path: "gone/f", bytesBefore: 2, bytesAfter: null },
  ]);
});

test("directories stand before what lies in them, names in byte order", () => {
  const before = [file("a"), dir("d"), file("d/x"), dir("gone"), file("gone/y"), file("é")];
  const after = [file("a"), dir("d", { mode: 0o700 }), file("d.txt"), dir("d/new"), file("d/new/z"), file("é")];
  expect(changes(before, after)).toEqual([
    "changed d",
    "added d/new",
    "added d/new/z",
    "removed d/x",
    "added d.txt",
    "removed gone",
    "removed gone/y",
  ]);
});

test("a directory that became a file loses its content", () => {
  expect(changes([dir("d"), file("d/x")], [file("d")])).toEqual(["changed d", "removed d/x"]);
  expect(changes([file("d")], [dir("d"), file("d/x")])).toEqual(["changed d", "added d/x"]);
});

test("what counts is what is to be seen, whichever layers it comes from", () => {
  const before = treeOf([dir("d"), file("d/x", "1"), file("d/y", "2")], [whiteout("d/x"), file("d/y", "3")]);
  const after = treeOf([dir("d"), file("d/y", "3"), hardlink("d/z", "d/y")]);
  expect([...compareTrees(before, after)]).toEqual([{ kind: "added", path: "d/z", bytesBefore: null, bytesAfter: 1 }]);
});
