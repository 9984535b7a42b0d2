import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { digestOf } from "../../src/base/digest.ts";
import type { Entry } from "../../src/layer/entry.ts";
import { readAll } from "../../src/layer/file-readers.ts";
import type { FileTree } from "../../src/layer/file-tree.ts";
import { dir, file, hardlink, type LayerItem, special, symlink, whiteout } from "../support/layer-builder.ts";

/** Makes the tree of a stack of layers, lowest first; `root` is an empty directory it may use. */
export type MakeTree = (root: string, layers: readonly (readonly LayerItem[])[]) => Promise<FileTree>;

/** What every FileTree over layers has to hold, whatever form the layers have. */
export function describeLayerTree(
  name: string,
  make: MakeTree,
  options: { readonly skip: string | null } = { skip: null },
): void {
  describe.skipIf(options.skip !== null)(`${name}${options.skip === null ? "" : ` (skipped: ${options.skip})`}`, () => {
    let root = "";
    beforeEach(() => {
      root = mkdtempSync(join(tmpdir(), "tsbuild-tree-"));
    });
    afterEach(() => rmSync(root, { recursive: true, force: true }));

    const big = Buffer.alloc(700_001, "0123456789abcdef");
    const stack: readonly (readonly LayerItem[])[] = [
      [
        dir("a", { mode: 0o711, uid: 5, gid: 6, mtimeSeconds: 1000 }),
        file("a/big", big),
        file("a/empty"),
        file("a/gone", "x"),
        file("b", "first", { mode: 0o4755, uid: 1, gid: 2, mtimeSeconds: 2000 }),
        hardlink("c", "b", { mode: 0o4755, uid: 1, gid: 2, mtimeSeconds: 2000 }),
        symlink("l", "../\udcff"),
        special("p", "fifo", { mode: 0o620 }),
        file("\udcff\n", "raw"),
      ],
      [dir("a", { mode: 0o700, mtimeSeconds: 3000 }), whiteout("a/gone"), file("a/new", "new")],
    ];
    const content = (tree: FileTree, path: string): Buffer => readAll(tree.open(tree.lstat(path) as Entry), 1 << 21);

    test("the root is there and is no hard link to anything", async () => {
      const tree = await make(root, []);
      expect(tree.lstat("")).toMatchObject({ path: "", type: "directory", inode: null });
      expect(tree.list("")).toEqual([]);
      expect(tree.lstat("x")).toBeNull();
    });

    test("list is sorted by byte and agrees with lstat", async () => {
      const tree = await make(root, stack);
      expect(tree.list("").map((entry) => entry.path)).toEqual(["a", "b", "c", "l", "p", "\udcff\n"]);
      expect(tree.list("a").map((entry) => entry.path)).toEqual(["a/big", "a/empty", "a/new"]);
      for (const entry of [...tree.list(""), ...tree.list("a")]) expect(tree.lstat(entry.path)).toEqual(entry);
      expect(tree.list("b")).toEqual([]);
    });

    test("entries have their metadata", async () => {
      const tree = await make(root, stack);
      expect(tree.lstat("a")).toMatchObject({
        type: "directory",
        mode: 0o700,
        uid: 0,
        gid: 0,
        mtimeSeconds: 3000,
        size: 0,
      });
      expect(tree.lstat("b")).toMatchObject({
        type: "file",
        mode: 0o4755,
        uid: 1,
        gid: 2,
        mtimeSeconds: 2000,
        size: 5,
        target: null,
      });
      expect(tree.lstat("l")).toMatchObject({ type: "symlink", mode: 0o777, target: "../\udcff" });
      expect(tree.lstat("p")).toMatchObject({ type: "fifo", mode: 0o620, device: null });
    });

    test("contents are read whole, and have their digests", async () => {
      const tree = await make(root, stack);
      expect(content(tree, "a/big").equals(big)).toBe(true);
      for (const [path, text] of [
        ["a/empty", ""],
        ["a/new", "new"],
        ["b", "first"],
        ["c", "first"],
        ["\udcff\n", "raw"],
      ] as const) {
        expect([path, content(tree, path).toString()]).toEqual([path, text]);
        expect(tree.digest(tree.lstat(path) as Entry)).toBe(digestOf(text));
      }
      expect(tree.digest(tree.lstat("a/big") as Entry)).toBe(digestOf(big));
    });

    test("two readers of one file do not disturb each other", async () => {
      const tree = await make(root, stack);
      const entry = tree.lstat("a/big") as Entry;
      const [one, two] = [tree.open(entry), tree.open(entry)];
      const [first, second] = [Buffer.alloc(1000), Buffer.alloc(1000)];
      one.read(first);
      one.read(first);
      two.read(second);
      expect([first.equals(big.subarray(1000, 2000)), second.equals(big.subarray(0, 1000))]).toEqual([true, true]);
      one.close();
      two.close();
    });

    test("hard links share an inode, other files have none", async () => {
      const tree = await make(root, stack);
      expect(tree.lstat("b")?.inode).toBe(tree.lstat("c")?.inode);
      expect(tree.lstat("b")?.inode).not.toBeNull();
      expect(tree.lstat("a/big")?.inode).toBeNull();
    });

    test("what is no regular file, or not the one that was seen, cannot be opened", async () => {
      const tree = await make(root, stack);
      const entry = tree.lstat("b") as Entry;
      for (const wrong of [
        { ...entry, path: "a" },
        { ...entry, path: "l" },
        { ...entry, path: "p" },
        { ...entry, path: "none" },
        { ...entry, size: 4 },
      ]) {
        expect(() => tree.open(wrong)).toThrow(expect.objectContaining({ code: "CONTEXT_FILE_CHANGED" }));
      }
    });
  });
}
