import { isBuildError } from "../../base/errors.ts";
import { encodeName } from "../../base/file-name.ts";
import type { Entry } from "../../layer/entry.ts";
import type { FileTree } from "../../layer/file-tree.ts";
import { resolveInTree } from "../../layer/resolve-path.ts";
import type { CopyInlineAction } from "../../plan/build-graph.ts";
import { InlineContent, TreeContent } from "./content.ts";
import { type CopyChange, copyDirectory, copyFile, fileOf } from "./copy-entries.ts";
import { type Archives, invalidArchive } from "./expand-archives.ts";
import { parseModeChange } from "./mode-change.ts";
import { lookupOwner, type Owner } from "./owner.ts";
import { type PackedAction, type PackedPathsAction, sourcesOf } from "./packed-action.ts";
import { type PendingFile, PendingTree } from "./pending-tree.ts";
import type { SourceTrees } from "./source-trees.ts";
import { type Archive, unpackMembers } from "./unpack-members.ts";

/**
 * The file system that `actions`, one after the other, make of `parent`; null is an empty one. `archives` are those
 * among the sources of ADD.
 * Throws CONTEXT_PATH_NOT_FOUND, COPY_CONFLICT, ADD_ARCHIVE_INVALID, DOCKERFILE_BAD_ARGUMENT.
 */
export function applyActions(
  actions: readonly PackedAction[],
  parent: FileTree | null,
  trees: SourceTrees,
  archives: Archives,
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
      copyPaths(action, trees, archives, pending, change);
    }
  }
  return pending;
}

function copyPaths(
  action: PackedPathsAction,
  trees: SourceTrees,
  archives: Archives,
  pending: PendingTree,
  change: CopyChange,
): void {
  const { tree, sources } = sourcesOf(action, trees);
  const { destination } = action;
  for (const { entry, name, filter } of sources) {
    const archive = action.unpack === "never" ? null : archives.find(tree, entry);
    if (archive !== null) unpackArchive(entry, archive, destination, pending, change.owner);
    else if (entry.type === "directory") copyDirectory(tree, entry, filter, destination, pending, change);
    else copyFile(name, fileOf(entry, new TreeContent(tree, entry), change), destination, pending, change);
  }
}

/** Modes and excludes are not for what is in an archive. */
function unpackArchive(
  entry: Entry,
  archive: Archive,
  destination: string,
  pending: PendingTree,
  owner: Owner | null,
): void {
  const top = pending.makeDirectories(resolveInTree(pending, destination, "all"), 0o755, owner);
  try {
    unpackMembers(archive, top, pending, owner);
  } catch (error) {
    throw isBuildError(error, "LAYER_MALFORMED") ? invalidArchive(entry, error) : error;
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
