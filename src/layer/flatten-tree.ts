import type { TarEntry } from "./encode-tar.ts";
import type { Entry } from "./entry.ts";
import type { FileTree } from "./file-tree.ts";

/**
 * All entries of a tree below the directory `root`, itself not, sorted by path: the first name of a file is a file, its
 * others are hard links to that. With `openRootfsView` this flattens a stack of layers; `encodeTar` makes a tar of it.
 */
export function* flattenTree(tree: FileTree, root = ""): Generator<TarEntry, void> {
  const firstNames = new Map<string, string>();
  /** Lists that are not used up, the deepest last. */
  const open = [tree.list(root)[Symbol.iterator]()];
  for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
    const next = top.next();
    if (next.done === true) {
      open.pop();
      continue;
    }
    const entry = next.value;
    yield tarEntry(tree, entry, firstNames);
    if (entry.type === "directory") open.push(tree.list(entry.path)[Symbol.iterator]());
  }
}

function tarEntry(tree: FileTree, entry: Entry, firstNames: Map<string, string>): TarEntry {
  const { inode, ...row } = entry;
  const open = () => tree.open(entry);
  const first = inode === null ? undefined : firstNames.get(inode);
  if (first !== undefined) return { row: { ...row, type: "hardlink", target: first, size: 0, device: null }, open };
  if (inode !== null) firstNames.set(inode, entry.path);
  return { row, open };
}
