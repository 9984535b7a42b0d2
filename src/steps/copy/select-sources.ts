import type { BuildError } from "../../base/errors.ts";
import type { Entry } from "../../layer/entry.ts";
import type { FileTree } from "../../layer/file-tree.ts";
import { baseNameOf, childPath } from "../../layer/path-order.ts";
import type { CopyPathsAction } from "../../plan/build-graph.ts";
import { createFilter, type SelectionFilter } from "./selection-filter.ts";
import { hasWildcards, matchSource, normalizeSource } from "./source-path.ts";

/** One thing to copy: the entry a source path leads to. */
export interface SelectedSource {
  /** Every link followed. */
  readonly entry: Entry;
  /** What the wildcards of the source path stand for; "" without, and for the only match, whose name they did not choose. */
  readonly wild: string;
  /** Its name inside a destination directory. */
  readonly name: string;
  /** What of a directory is copied; null: everything. */
  readonly filter: SelectionFilter | null;
}

/**
 * What one source path of `action` selects in `tree`, sorted; nothing when its wildcards match nothing.
 * Throws what `explain` makes of a normalised path that does not exist, DOCKERFILE_BAD_ARGUMENT or CONTEXT_IGNORE_INVALID for
 * malformed patterns.
 */
export function selectSources(
  action: Pick<CopyPathsAction, "parents" | "excludes">,
  written: string,
  tree: FileTree,
  explain: (path: string) => BuildError,
): readonly SelectedSource[] {
  const { start, include } = action.parents ? splitPivot(written) : { start: normalizeSource(written), include: null };
  const filter = createFilter(include === "" ? null : include, action.excludes);
  const matches = matchSource(tree, start);
  return matches.map(({ path, wild, entry }) => {
    if (entry === null) throw explain(path);
    const name = baseNameOf(path);
    const isNameWritten = matches.length === 1 && name === baseNameOf(start);
    if (include !== null && !hasWildcards(start) && !hasWildcards(include)) {
      if (tree.lstat(childPath(entry.path, include)) === null) throw explain(childPath(start, include));
    }
    return { entry, wild: isNameWritten ? "" : wild, name, filter };
  });
}

/** `a/./b` with `--parents`: copied from `a` on, the path `b` is kept. Without `/./` the whole path is kept. */
function splitPivot(written: string): { readonly start: string; readonly include: string } {
  const pivot = written.indexOf("/./");
  if (pivot < 0) return { start: "", include: normalizeSource(written) };
  return { start: normalizeSource(written.slice(0, pivot)), include: normalizeSource(written.slice(pivot + 3)) };
}
