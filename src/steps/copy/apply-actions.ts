import { encodeName } from "../../base/file-name.ts";
import type { TreeSpec } from "../../context/tree-spec.ts";
import type { Entry } from "../../layer/entry.ts";
import type { FileTree } from "../../layer/file-tree.ts";
import type { CopyInlineAction, CopyPathsAction } from "../../plan/build-graph.ts";
import { InlineContent, TreeContent } from "./content.ts";
import { type CopyChange, copyDirectory, copyFile, fileOf } from "./copy-entries.ts";
import { missingSource } from "./missing-source.ts";
import { parseModeChange } from "./mode-change.ts";
import { lookupOwner } from "./owner.ts";
import { type PendingFile, PendingTree } from "./pending-tree.ts";
import { selectSources } from "./select-sources.ts";
import type { SourceTrees } from "./source-trees.ts";

/** An action with the tree its source means. */
export type PackedAction = (Omit<CopyPathsAction, "source"> & { readonly tree: TreeSpec }) | CopyInlineAction;

/**
 * The file system that `actions`, one after the other, make of `parent`; null is an empty one.
 * Throws CONTEXT_PATH_NOT_FOUND, COPY_CONFLICT, ADD_ARCHIVE_INVALID, DOCKERFILE_BAD_ARGUMENT.
 */
export function applyActions(
  actions: readonly PackedAction[],
  parent: FileTree | null,
  trees: SourceTrees,
  nowSeconds: number,
): PendingTree {
  const pending = new PendingTree(parent ?? trees.open({ kind: "layers", layers: [] }), nowSeconds);
  for (const action of actions) {
    const change: CopyChange = {
      owner: action.chown === null ? null : lookupOwner(action.chown, parent),
      mode: action.chmod === null ? null : parseModeChange(action.chmod),
    };
    if (action.kind === "inline") {
      copyFile(action.name, inlineFile(action, change, nowSeconds), action.destination, pending, change);
    } else {
      copyPaths(action, trees, pending, change);
    }
  }
  return pending;
}

function copyPaths(
  action: Extract<PackedAction, { readonly kind: "paths" }>,
  trees: SourceTrees,
  pending: PendingTree,
  change: CopyChange,
): void {
  const tree = trees.open(action.tree);
  for (const written of action.paths) {
    const sources = selectSources(action, written, tree, (path) => missingSource(tree, action.tree, path, written));
    for (const { entry, name, filter } of sources) {
      if (entry.type === "directory") copyDirectory(tree, entry, filter, action.destination, pending, change);
      else copyFile(name, fileOf(entry, new TreeContent(tree, entry), change), action.destination, pending, change);
    }
  }
}

function inlineFile(action: CopyInlineAction, change: CopyChange, nowSeconds: number): PendingFile {
  const content = encodeName(action.content);
  const entry: Entry = {
    path: action.name,
    type: "file",
    mode: 0o644,
    uid: 0,
    gid: 0,
    mtimeSeconds: nowSeconds,
    mtimeNanos: 0,
    xattrs: null,
    size: content.length,
    target: null,
    device: null,
    inode: null,
  };
  return { ...fileOf(entry, new InlineContent(content), change), isNew: true };
}
