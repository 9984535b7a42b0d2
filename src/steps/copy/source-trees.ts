import { type DirectoryTree, openDirectoryTree, openKnownDirectoryTree } from "../../context/directory-tree.ts";
import type { StatCacheRows } from "../../context/stat-cache.ts";
import type { DirectorySpec, TreeSpec } from "../../context/tree-spec.ts";
import type { FileTree } from "../../layer/file-tree.ts";
import { openRootfsView } from "../../layer/rootfs-view.ts";

/** New rows for the stat cache in `file`; for `mergeStatCache`. */
export interface NewStatCacheRows {
  readonly file: string;
  readonly rows: StatCacheRows;
}

/** The source trees of one task: equal specs are one tree, which is read once. */
export class SourceTrees {
  readonly #readableBytes: number | null;
  readonly #trees = new Map<string, FileTree>();
  readonly #directories: { readonly spec: DirectorySpec; readonly tree: DirectoryTree }[] = [];

  /** With `readableBytes` no more of each context is read to know digests: UnknownDigest is thrown instead. */
  constructor(readableBytes: number | null = null) {
    this.#readableBytes = readableBytes;
  }

  open(spec: TreeSpec): FileTree {
    const key = JSON.stringify(spec);
    const known = this.#trees.get(key);
    if (known !== undefined) return known;
    const tree = spec.kind === "layers" ? openRootfsView(spec.layers) : this.#openDirectory(spec);
    this.#trees.set(key, tree);
    return tree;
  }

  /** What reading the contexts has found out that their stat caches did not know. */
  newStatCacheRows(): readonly NewStatCacheRows[] {
    return this.#directories.flatMap(({ spec, tree }) => {
      const rows = tree.newDigests();
      return spec.statCache === null || rows.length === 0 ? [] : [{ file: spec.statCache, rows }];
    });
  }

  #openDirectory(spec: DirectorySpec): DirectoryTree {
    const limit = this.#readableBytes;
    const tree = limit === null ? openDirectoryTree(spec) : openKnownDirectoryTree(spec, limit);
    this.#directories.push({ spec, tree });
    return tree;
  }
}
