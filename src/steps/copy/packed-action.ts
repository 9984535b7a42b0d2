import type { TreeSpec } from "../../context/tree-spec.ts";
import type { FileTree } from "../../layer/file-tree.ts";
import type { CopyInlineAction, CopyPathsAction } from "../../plan/build-graph.ts";
import { missingSource } from "./missing-source.ts";
import { type SelectedSource, selectSources } from "./select-sources.ts";
import type { SourceTrees } from "./source-trees.ts";

/** Paths to copy, with the tree their source means. */
export type PackedPathsAction = Omit<CopyPathsAction, "source"> & { readonly tree: TreeSpec };

/** An action of COPY or ADD as a worker thread can do it. */
export type PackedAction = PackedPathsAction | CopyInlineAction;

/** What an action selects, path by path. Throws CONTEXT_PATH_NOT_FOUND. */
export function sourcesOf(
  action: Pick<PackedPathsAction, "paths" | "parents" | "excludes" | "tree">,
  trees: SourceTrees,
): { readonly tree: FileTree; readonly sources: Iterable<SelectedSource> } {
  const tree = trees.open(action.tree);
  function* sources(): Generator<SelectedSource, void> {
    for (const written of action.paths) {
      yield* selectSources(action, written, tree, (path) => missingSource(tree, action.tree, path, written));
    }
  }
  return { tree, sources: sources() };
}
