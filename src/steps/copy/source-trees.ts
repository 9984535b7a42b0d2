import { existsSync } from "node:fs";
import {
  type DirectoryTree,
  type FoundTree,
  openDirectoryTree,
  openFoundDirectoryTree,
  openKnownDirectoryTree,
} from "../../context/directory-tree.ts";
import type { StatCacheRows } from "../../context/stat-cache.ts";
import type { DirectorySpec, TreeSpec } from "../../context/tree-spec.ts";
import type { FileTree } from "../../layer/file-tree.ts";
import { openRootfsView } from "../../layer/rootfs-view.ts";

/** New rows for the stat cache in `file`; for `mergeStatCache`. */
export interface NewStatCacheRows {
  readonly file: string;
  readonly rows: StatCacheRows;
}

/** What the trees of another thread have found of a context. */
export interface FoundContext {
  readonly spec: DirectorySpec;
  readonly found: FoundTree;
}

/** The source trees of one task: equal specs are one tree, which is read once. */
export class SourceTrees {
  readonly #readableBytes: number | null;
  readonly #found: ReadonlyMap<string, FoundTree>;
  readonly #trees = new Map<string, FileTree>();
  readonly #directories: { readonly spec: DirectorySpec; readonly tree: DirectoryTree }[] = [];

  /**
   * With `readableBytes` no more of each context is read to know digests: UnknownDigest is thrown instead. What was
   * `found` is not looked for again.
   */
  constructor(readableBytes: number | null = null, found: readonly FoundContext[] = []) {
    this.#readableBytes = readableBytes;
    this.#found = new Map(found.map((context) => [keyOf(context.spec), context.found]));
  }

  open(spec: TreeSpec): FileTree {
    const key = keyOf(spec);
    const known = this.#trees.get(key);
    if (known !== undefined) return known;
    const tree = spec.kind === "layers" ? openRootfsView(spec.layers) : this.#openDirectory(spec, key);
    this.#trees.set(key, tree);
    return tree;
  }

  /** What reading the contexts has found out that their stat caches did not know. */
  newStatCacheRows(): readonly NewStatCacheRows[] {
    return this.#directories.flatMap(({ spec, tree }) => {
      const rows = tree.newDigests();
      const file = spec.statCache;
      // Without rows as well: a context that has a stat cache is one that was built before.
      return file === null || (rows.length === 0 && existsSync(file)) ? [] : [{ file, rows }];
    });
  }

  /** What was found of the contexts among the trees; null when a file was seen twice and was not the same. */
  found(specs: readonly TreeSpec[]): readonly FoundContext[] | null {
    const keys = new Set(specs.map(keyOf));
    const contexts: FoundContext[] = [];
    for (const { spec, tree } of this.#directories) {
      if (!keys.has(keyOf(spec))) continue;
      const found = tree.found();
      if (found === null) return null;
      contexts.push({ spec, found });
    }
    return contexts;
  }

  #openDirectory(spec: DirectorySpec, key: string): DirectoryTree {
    const tree = this.#treeOf(spec, this.#found.get(key));
    this.#directories.push({ spec, tree });
    return tree;
  }

  #treeOf(spec: DirectorySpec, found: FoundTree | undefined): DirectoryTree {
    if (found !== undefined) return openFoundDirectoryTree(spec, found);
    const limit = this.#readableBytes;
    return limit === null ? openDirectoryTree(spec) : openKnownDirectoryTree(spec, limit);
  }
}

const keyOf = (spec: TreeSpec): string => JSON.stringify(spec);
