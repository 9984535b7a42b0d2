import { cleanPath } from "../../context/clean-path.ts";
import { parseGoPattern } from "../../context/go-match.ts";
import type { Entry } from "../../layer/entry.ts";
import type { FileTree } from "../../layer/file-tree.ts";
import { baseNameOf } from "../../layer/path-order.ts";
import { resolveInTree } from "../../layer/resolve-path.ts";

/** What a source path leads to. */
export interface SourceMatch {
  /** As it was found, links in the last component not followed; no leading "/", "" is the root. */
  readonly path: string;
  /** The part of `path` that the wildcards stand for; "" without wildcards. */
  readonly wild: string;
  /** The file or directory it stands for, every link followed; null when there is none. */
  readonly entry: Entry | null;
}

/** A source path of COPY, cleaned against the root: without leading "/", "" is the root. */
export const normalizeSource = (written: string): string => cleanPath(`/${written}`).slice(1);

/** Whether `text` holds `*`, `?` or `[` not behind a "\". */
export const hasWildcards = (text: string): boolean => /^(?:[^\\*?[]|\\.)*[*?[]/s.test(text);

/**
 * The matches of a normalised source path in `tree`, sorted. A path without wildcards has exactly one. Links in front
 * of the first wildcard are followed, links among the wildcards are not; a match itself is followed.
 * Throws DOCKERFILE_BAD_ARGUMENT for a malformed pattern.
 */
export function matchSource(tree: FileTree, path: string): readonly SourceMatch[] {
  const components = path === "" ? [] : path.split("/");
  const wild = components.findIndex(hasWildcards);
  if (wild < 0) return [{ path, wild: "", entry: tree.lstat(resolveInTree(tree, path, "all")) }];

  const literal = components.slice(0, wild).join("/");
  const start = tree.lstat(resolveInTree(tree, literal, "all"));
  if (start === null) return [{ path: literal, wild: "", entry: null }];
  let found: readonly Entry[] = [start];
  for (const pattern of components.slice(wild).map(parseGoPattern)) {
    found = found.flatMap((entry) => {
      return entry.type === "directory"
        ? tree.list(entry.path).filter((child) => pattern.matches(baseNameOf(child.path)))
        : [];
    });
  }
  return found.map((match) => ({
    path: match.path,
    wild: start.path === "" ? match.path : match.path.slice(start.path.length + 1),
    entry: match.type === "symlink" ? tree.lstat(resolveInTree(tree, match.path, "all")) : match,
  }));
}
