import { describe, expect, test } from "vitest";
import { digestOf } from "../../src/base/digest.ts";
import type { Entry } from "../../src/layer/entry.ts";
import { readAll } from "../../src/layer/file-readers.ts";
import type { FileTree } from "../../src/layer/file-tree.ts";
import { thrownBy } from "../support/thrown-by.ts";

/** One file to be shown: content, link target or nothing for a directory. */
export type TreeItem =
  | { readonly path: string; readonly content: string; readonly mode?: number }
  | { readonly path: string; readonly target: string }
  | { readonly path: string; readonly linkTo: string }
  | { readonly path: string; readonly isDirectory: true; readonly mode?: number };

/** What every FileTree must do. `make` shows exactly these items; parents that are missing are directories. */
export function describeFileTree(name: string, make: (items: readonly TreeItem[]) => Promise<FileTree>): void {
  const entryAt = (tree: FileTree, path: string): Entry => {
    const entry = tree.lstat(path);
    if (entry === null) throw new Error(`nothing at ${path}`);
    return entry;
  };
  const walk = (tree: FileTree, path = ""): readonly Entry[] =>
    tree.list(path).flatMap((entry) => [entry, ...walk(tree, entry.path)]);

  describe(`${name} as a FileTree`, () => {
    test("without anything has a root", async () => {
      const tree = await make([]);
      expect(tree.lstat("")).toMatchObject({ path: "", type: "directory", size: 0 });
      expect(tree.list("")).toEqual([]);
    });

    test("lists names in the order of their bytes, and says the same by list and lstat", async () => {
      const names = ["a", "a.b", "A", "é", "z", "\u{1f600}", "\uffee", "-", "a b", "constructor", "__proto__"];
      const tree = await make(names.map((path) => ({ path: `d/${path}`, content: path })));
      const listed = tree.list("d");
      const inOrder = [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      expect(listed.map(({ path }) => path)).toEqual(inOrder.map((path) => `d/${path}`));
      for (const entry of walk(tree)) expect(tree.lstat(entry.path)).toEqual(entry);
    });

    test("tells types, modes, sizes and targets", async () => {
      const tree = await make([
        { path: "f", content: "content", mode: 0o4640 },
        { path: "d", isDirectory: true, mode: 0o1777 },
        { path: "l", target: "../../d//./x" },
      ]);
      expect(tree.lstat("f")).toMatchObject({ type: "file", mode: 0o4640, size: 7, target: null, device: null });
      expect(tree.lstat("d")).toMatchObject({ type: "directory", mode: 0o1777, size: 0, target: null });
      expect(tree.lstat("l")).toMatchObject({ type: "symlink", mode: 0o777, size: 0, target: "../../d//./x" });
    });

    test("has nothing below files and links, nor at paths that are not clean", async () => {
      const tree = await make([
        { path: "d/f", content: "1" },
        { path: "l", target: "d" },
      ]);
      for (const path of ["missing", "d/f/x", "l/f", "d/", "/d", "d//f", "d/./f", "..", "../d", "d/../d"])
        expect(tree.lstat(path)).toBeNull();
      for (const path of ["missing", "d/f", "l", "d/missing"]) expect(tree.list(path)).toEqual([]);
    });

    test("reads contents of any length, in pieces of any length", async () => {
      const contents = ["", "x", "y".repeat(511), "z".repeat(512), "w".repeat(200_000)];
      const tree = await make(contents.map((content, at) => ({ path: `f${at}`, content })));
      for (const [at, content] of contents.entries()) {
        const entry = entryAt(tree, `f${at}`);
        expect(tree.digest(entry)).toBe(digestOf(content));
        expect(readAll(tree.open(entry), 1 << 20).toString()).toBe(content);
        const reader = tree.open(entry);
        const piece = Buffer.alloc(7);
        const got = reader.read(piece);
        expect(piece.subarray(0, got).toString()).toBe(content.slice(0, 7));
        reader.close();
      }
    });

    test("names of one file share content and inode, others do not", async () => {
      const tree = await make([
        { path: "a", content: "same" },
        { path: "b/c", linkTo: "a" },
        { path: "d", content: "same" },
      ]);
      expect(entryAt(tree, "a").inode).not.toBeNull();
      expect(entryAt(tree, "b/c")).toMatchObject({ type: "file", size: 4, inode: entryAt(tree, "a").inode });
      expect(entryAt(tree, "d").inode).toBeNull();
      expect(readAll(tree.open(entryAt(tree, "b/c")), 10).toString()).toBe("same");
    });

    test("does not open what is no file of it", async () => {
      const tree = await make([
        { path: "f", content: "1" },
        { path: "d", isDirectory: true },
        { path: "l", target: "f" },
      ]);
      for (const path of ["d", "l"])
        expect(thrownBy(() => tree.open(entryAt(tree, path))).code).toBe("CONTEXT_FILE_CHANGED");
      const file = entryAt(tree, "f");
      expect(thrownBy(() => tree.open({ ...file, path: "missing" })).code).toBe("CONTEXT_FILE_CHANGED");
      expect(thrownBy(() => tree.open({ ...file, size: 2 })).code).toBe("CONTEXT_FILE_CHANGED");
    });
  });
}
