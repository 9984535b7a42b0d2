import { truncateSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { digestOf } from "../../../src/base/digest.ts";
import type { Entry } from "../../../src/layer/entry.ts";
import { readAll } from "../../../src/layer/file-readers.ts";
import type { FileTree } from "../../../src/layer/file-tree.ts";
import { openRootfsView } from "../../../src/layer/rootfs-view.ts";
import {
  dir,
  file,
  hardlink,
  type LayerItem,
  makeLayers,
  opaque,
  special,
  symlink,
  whiteout,
} from "../../support/layer-builder.ts";
import { useTemporaryDirectory } from "../../support/temporary-directory.ts";

const temporary = useTemporaryDirectory();

const view = (...layers: (readonly LayerItem[])[]): FileTree => openRootfsView(makeLayers(temporary.path, layers));

/** Every entry, depth first: `path type` and a file's content or a link's target. */
function show(tree: FileTree, path = ""): string[] {
  return tree.list(path).flatMap((entry) => [describeEntry(tree, entry), ...show(tree, entry.path)]);
}

function describeEntry(tree: FileTree, entry: Entry): string {
  expect(tree.lstat(entry.path)).toEqual(entry);
  if (entry.type === "file") return `${entry.path} = ${readAll(tree.open(entry), 1000)}`;
  if (entry.type === "symlink") return `${entry.path} -> ${entry.target}`;
  return `${entry.path} ${entry.type} ${entry.mode.toString(8)}`;
}

describe("layers merge", () => {
  const table: readonly (readonly [string, readonly (readonly LayerItem[])[], readonly string[]])[] = [
    ["no layer", [], []],
    ["one layer", [[dir("a"), file("a/f", "1")]], ["a directory 755", "a/f = 1"]],
    [
      "union of directories",
      [
        [dir("a"), file("a/f", "1")],
        [dir("a"), file("a/g", "2")],
      ],
      ["a directory 755", "a/f = 1", "a/g = 2"],
    ],
    ["a file replaces a file", [[file("f", "1")], [file("f", "2")]], ["f = 2"]],
    [
      "metadata of the upper directory",
      [[dir("a"), file("a/f", "1")], [dir("a", { mode: 0o700 })]],
      ["a directory 700", "a/f = 1"],
    ],
    [
      "a whiteout deletes a file",
      [
        [dir("a"), file("a/f", "1"), file("a/g", "2")],
        [dir("a"), whiteout("a/f")],
      ],
      ["a directory 755", "a/g = 2"],
    ],
    ["a whiteout deletes a tree", [[dir("a"), dir("a/b"), file("a/b/f", "1")], [whiteout("a")]], []],
    ["a whiteout of nothing", [[file("f", "1")], [whiteout("g"), whiteout("x/y")]], ["f = 1", "x directory 755"]],
    [
      "deleted and made again",
      [[dir("a"), file("a/f", "1")], [whiteout("a")], [dir("a", { mode: 0o711 }), file("a/g", "2")]],
      ["a directory 711", "a/g = 2"],
    ],
    [
      "an opaque directory hides what was below",
      [
        [dir("a"), file("a/f", "1"), dir("a/d"), file("a/d/g", "2")],
        [dir("a"), opaque("a"), file("a/h", "3")],
      ],
      ["a directory 755", "a/h = 3"],
    ],
    [
      "an opaque directory does not hide its own layer or those above",
      [
        [dir("a"), file("a/x", "0")],
        [dir("a"), opaque("a"), file("a/f", "1")],
        [dir("a"), file("a/g", "2")],
      ],
      ["a directory 755", "a/f = 1", "a/g = 2"],
    ],
    [
      "an opaque mark in the root",
      [
        [file("f", "1"), dir("d"), file("d/x", "1")],
        [opaque(""), file("g", "2")],
      ],
      ["g = 2"],
    ],
    [
      "an opaque mark without its directory",
      [[dir("a", { mode: 0o700 }), file("a/f", "1")], [opaque("a")]],
      ["a directory 700"],
    ],
    ["a file replaces a directory", [[dir("a"), file("a/f", "1")], [file("a", "2")]], ["a = 2"]],
    ["a directory replaces a file", [[file("a", "1")], [dir("a"), file("a/f", "2")]], ["a directory 755", "a/f = 2"]],
    [
      "a directory does not show through a file above it",
      [[dir("a"), file("a/f", "1")], [file("a", "2")], [dir("a", { mode: 0o700 })]],
      ["a directory 700"],
    ],
    ["a link replaces a directory", [[dir("a"), file("a/f", "1")], [symlink("a", "b")]], ["a -> b"]],
    ["an implied directory over a link", [[symlink("a", "b")], [file("a/f", "1")]], ["a directory 755", "a/f = 1"]],
    [
      "an implied directory keeps the metadata below",
      [[dir("a", { mode: 0o1777 })], [file("a/f", "1")]],
      ["a directory 1777", "a/f = 1"],
    ],
    [
      "implied directories, several deep",
      [[file("a/b/c/f", "1")], [file("a/b/g", "2")]],
      ["a directory 755", "a/b directory 755", "a/b/c directory 755", "a/b/c/f = 1", "a/b/g = 2"],
    ],
    [
      "a whiteout of a name that begins another",
      [[file("a", "1"), file("ab", "2"), dir("a.d"), file("a.d/f", "3")], [whiteout("a")]],
      ["a.d directory 755", "a.d/f = 3", "ab = 2"],
    ],
    [
      "hard links show their file",
      [[file("a", "1"), hardlink("b", "a")], [file("c", "2")]],
      ["a = 1", "b = 1", "c = 2"],
    ],
    ["a hard link outlives its first name", [[file("a", "1"), hardlink("b", "a")], [whiteout("a")]], ["b = 1"]],
    [
      "names sort by bytes across layers",
      [
        [file("é", "1"), file("a", "2")],
        [file("\udc80", "3"), file("z", "4")],
      ],
      ["a = 2", "z = 4", "\udc80 = 3", "é = 1"],
    ],
    ["devices and fifos", [[special("c", "char"), special("p", "fifo")]], ["c char 644", "p fifo 644"]],
    [
      "names of Object.prototype",
      [[file("__proto__", "1")], [file("constructor", "2")]],
      ["__proto__ = 1", "constructor = 2"],
    ],
  ];
  test.each(table)("%s", (_name, layers, want) => {
    expect(show(view(...layers))).toEqual(want);
  });
});

test("the root is a directory, and nothing lies inside a file", () => {
  const tree = view([file("f", "1"), dir("d"), symlink("l", "d"), file("d/x", "2")]);
  expect(tree.lstat("")).toMatchObject({ path: "", type: "directory", mode: 0o755 });
  for (const path of ["f/x", "nothing", "d/x/y", "l/x", "d/nothing/x"])
    expect([path, tree.lstat(path)]).toEqual([path, null]);
  expect(tree.list("f")).toEqual([]);
  expect(tree.list("l")).toEqual([]);
  expect(tree.list("nothing")).toEqual([]);
});

describe("hard links share an inode while two names show", () => {
  const linked = [file("a", "1", { mode: 0o600 }), hardlink("b", "a", { mode: 0o600 }), file("c", "1")];
  const inodes = (tree: FileTree): readonly (string | null | undefined)[] =>
    ["a", "b", "c"].map((path) => tree.lstat(path)?.inode);
  test("both names", () => {
    const [a, b, c] = inodes(view(linked));
    expect(a).not.toBeNull();
    expect([b, c]).toEqual([a, null]);
  });
  test("the second name was replaced", () => {
    expect(inodes(view(linked, [file("b", "2")]))).toEqual([null, null, null]);
  });
  test("the first name was deleted", () => {
    expect(inodes(view(linked, [whiteout("a")]))).toEqual([undefined, null, null]);
  });
  test("the same layer twice", () => {
    const [layer] = makeLayers(temporary.path, [linked]);
    if (layer === undefined) throw new Error("no layer");
    const [a, b] = inodes(openRootfsView([layer, layer]));
    expect(a).toBe(b);
    expect(a).not.toBeNull();
  });
});

test("contents come from the tar with the digest of the index", () => {
  const tree = view([file("f", "hello")]);
  const entry = tree.lstat("f") as Entry;
  expect(tree.digest(entry)).toBe(digestOf("hello"));
  expect(tree.open(entry).digest).toBe(digestOf("hello"));
});

test("a tar that was cut off does not read as a shorter file", () => {
  const layers = makeLayers(temporary.path, [[file("f", "x".repeat(2000))]]);
  truncateSync(join(temporary.path, "0", "tar"), 600);
  const tree = openRootfsView(layers);
  expect(() => readAll(tree.open(tree.lstat("f") as Entry), 5000)).toThrow(
    expect.objectContaining({ code: "LAYER_MALFORMED" }),
  );
});

test("opening what is no file, or another one, is refused", () => {
  const tree = view([file("f", "hello"), dir("d")]);
  const entry = tree.lstat("f") as Entry;
  for (const wrong of [
    { ...entry, path: "d" },
    { ...entry, path: "none" },
    { ...entry, size: 4 },
  ]) {
    expect(() => tree.open(wrong)).toThrow(expect.objectContaining({ code: "CONTEXT_FILE_CHANGED" }));
  }
});

test("a layer that is nowhere is LAYER_NOT_FOUND", () => {
  const layers = makeLayers(temporary.path, [[file("f", "hello")]]).map((layer) => ({ ...layer, tarFile: null }));
  const tree = openRootfsView(layers);
  expect(() => tree.open(tree.lstat("f") as Entry)).toThrow(expect.objectContaining({ code: "LAYER_NOT_FOUND" }));
});
