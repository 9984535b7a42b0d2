import { BuildError } from "../../base/errors.ts";
import type { Entry } from "../../layer/entry.ts";
import type { FileTree } from "../../layer/file-tree.ts";
import { baseNameOf, childPath, parentOf } from "../../layer/path-order.ts";
import { resolveInTree } from "../../layer/resolve-path.ts";
import { type Content, TreeContent } from "./content.ts";
import type { ModeChange } from "./mode-change.ts";
import type { Owner } from "./owner.ts";
import {
  type Attributes,
  isPendingDirectory,
  type PendingDirectory,
  type PendingFile,
  type PendingTree,
} from "./pending-tree.ts";
import type { SelectionFilter, SelectionVerdict } from "./selection-filter.ts";

/** How entries change on their way. */
export interface CopyChange {
  /** Null: owners are kept. */
  readonly owner: Owner | null;
  /** Null: modes are kept. */
  readonly mode: ModeChange | null;
}

/**
 * Copies a file, link or device to `destination` (absolute), or under `name` into it if it is a directory or ends in
 * "/" or "/.". Links in the destination are followed inside the root; missing directories are made.
 * Throws COPY_CONFLICT where it meets a directory, or a file where a directory is needed.
 */
export function copyFile(
  name: string,
  file: PendingFile,
  destination: string,
  pending: PendingTree,
  change: CopyChange,
): void {
  const target = prepareDestination(destination, pending, change);
  const existing = pending.find(target);
  const isInside = existing !== null && isPendingDirectory(existing);
  const path = isInside ? childPath(target, name) : target;
  putFile(pending, makeDirectories(pending, parentOf(path), change), baseNameOf(path), file);
}

/**
 * Copies what `filter` selects in directory `source` of `tree` (null: everything) into `destination`. A new destination
 * is a new directory, an existing one stays what it is; either gets the source's mtime, unless that is a tree's root,
 * which no layer has a time for. Directories inside are merged and take the source's attributes. Throws as `copyFile`.
 */
export function copyDirectory(
  tree: FileTree,
  source: Entry,
  filter: SelectionFilter | null,
  destination: string,
  pending: PendingTree,
  change: CopyChange,
): void {
  const target = prepareDestination(destination, pending, change);
  const existing = pending.find(target);
  if (existing !== null && !isPendingDirectory(existing)) throw directoryOverFile(source.path, target);
  const made = makeDirectories(pending, target, change);
  new ContentCopier(tree, filter, pending, change).copy({ entry: source, above: null, name: "", made }, "", null);
  if (source.path !== "") made.mtimeSeconds = source.mtimeSeconds;
}

/** A copy of `entry`, which is no directory. */
export function fileOf(entry: Entry, content: Content, change: CopyChange): PendingFile {
  if (entry.type === "directory") throw new BuildError("INTERNAL", `${JSON.stringify(entry.path)} is a directory`);
  return {
    type: entry.type,
    ...changedAttributes(entry, change),
    size: entry.size,
    target: entry.target,
    device: entry.device,
    content: entry.type === "file" ? content : null,
    isLinked: entry.type === "file" && entry.inode !== null,
    isNew: false,
  };
}

/** Makes the directories the destination lies in (itself, when it ends like one); its real path. */
function prepareDestination(destination: string, pending: PendingTree, change: CopyChange): string {
  const last = baseNameOf(destination);
  const leading = last === "" || last === "." ? destination : parentOf(destination);
  makeDirectories(pending, resolveInTree(pending, leading, "all"), change);
  return resolveInTree(pending, destination, "all");
}

const makeDirectories = (pending: PendingTree, path: string, change: CopyChange): PendingDirectory =>
  pending.makeDirectories(path, change.mode?.newDirectoryMode ?? 0o755, change.owner);

function putFile(pending: PendingTree, directory: PendingDirectory, name: string, file: PendingFile): void {
  const existing = pending.child(directory, name);
  if (existing !== null && isPendingDirectory(existing)) {
    const place = JSON.stringify(`/${existing.path}`);
    throw new BuildError("COPY_CONFLICT", `cannot replace directory ${place} with a ${file.type}`);
  }
  pending.putFile(directory, name, file);
}

function changedAttributes(entry: Entry, { mode, owner }: CopyChange): Attributes {
  const isLink = entry.type === "symlink";
  return {
    mode: mode === null || isLink ? entry.mode : mode.apply(entry.mode, entry.type === "directory"),
    uid: owner?.uid ?? entry.uid,
    gid: owner?.gid ?? entry.gid,
    mtimeSeconds: entry.mtimeSeconds,
    xattrs: entry.xattrs,
  };
}

function directoryOverFile(source: string, target: string): BuildError {
  const [from, to] = [source, target].map((path) => JSON.stringify(`/${path}`));
  return new BuildError("COPY_CONFLICT", `cannot copy directory ${from} to ${to}, which is no directory`);
}

/** A source directory on the way to the entry being copied; its counterpart is made when something in it is selected. */
interface Level {
  readonly entry: Entry;
  readonly above: Level | null;
  readonly name: string;
  made: PendingDirectory | null;
}

/** Whether nothing is in the directory yet, not even something of the parent. */
const isUntouched = ({ lower, children, fill }: PendingDirectory): boolean =>
  lower === null && children.size === 0 && fill === null;

const everything: SelectionVerdict = { isSelected: true, mayDescend: true, include: null, exclude: null };

class ContentCopier {
  readonly #tree: FileTree;
  readonly #filter: SelectionFilter | null;
  readonly #pending: PendingTree;
  readonly #change: CopyChange;
  /** Copied files by the inode they have in the source. */
  readonly #inodes = new Map<string, PendingFile>();

  constructor(tree: FileTree, filter: SelectionFilter | null, pending: PendingTree, change: CopyChange) {
    this.#tree = tree;
    this.#filter = filter;
    this.#pending = pending;
    this.#change = change;
  }

  /** Copies the content of `level`; `relative` is its path below the top one and `verdict` what the filter said of it. */
  copy(level: Level, relative: string, verdict: SelectionVerdict | null): void {
    for (const entry of this.#tree.list(level.entry.path)) {
      const name = baseNameOf(entry.path);
      const path = this.#filter === null ? "" : childPath(relative, name);
      const inner = this.#filter === null ? everything : this.#filter.decide(path, verdict);
      if (entry.type !== "directory") {
        if (inner.isSelected) putFile(this.#pending, this.#make(level), name, this.#file(entry));
        continue;
      }
      const below: Level = { entry, above: level, name, made: null };
      const made = inner.isSelected ? this.#make(below) : null;
      if (made !== null && isUntouched(made)) {
        made.fill = inner.mayDescend ? () => this.copy(below, path, inner) : null;
      } else if (inner.mayDescend) {
        this.copy(below, path, inner);
      }
      // Only now, as every entry put into it has changed its mtime.
      if (made !== null) Object.assign(made, changedAttributes(entry, this.#change));
    }
  }

  /** The counterpart of a source directory, made now if need be. */
  #make(level: Level): PendingDirectory {
    if (level.made !== null) return level.made;
    if (level.above === null) throw new BuildError("INTERNAL", "the top directory of a copy was not made");
    const above = this.#make(level.above);
    const existing = this.#pending.child(above, level.name);
    if (existing === null) {
      level.made = this.#pending.makeDirectory(above, level.name, changedAttributes(level.entry, this.#change));
    } else if (isPendingDirectory(existing)) {
      existing.mode = level.entry.mode;
      level.made = existing;
    } else {
      throw directoryOverFile(level.entry.path, childPath(above.path, level.name));
    }
    return level.made;
  }

  #file(entry: Entry): PendingFile {
    const linked = entry.inode === null ? undefined : this.#inodes.get(entry.inode);
    if (linked !== undefined) return linked;
    const file = fileOf(entry, new TreeContent(this.#tree, entry), this.#change);
    if (entry.inode !== null && file.isLinked) this.#inodes.set(entry.inode, file);
    return file;
  }
}
