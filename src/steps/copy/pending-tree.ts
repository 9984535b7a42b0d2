import { BuildError } from "../../base/errors.ts";
import type { DeviceNumber, Entry, EntryType } from "../../layer/entry.ts";
import type { FileTree } from "../../layer/file-tree.ts";
import { childPath } from "../../layer/path-order.ts";
import type { Content } from "./content.ts";

/** What a step decides about a file's metadata; times in whole seconds. */
export interface Attributes {
  mode: number;
  uid: number;
  gid: number;
  mtimeSeconds: number;
  xattrs: Readonly<Record<string, string>> | null;
}

/** A directory the step made, or found in the parent and looked into. */
export interface PendingDirectory extends Attributes {
  readonly type: "directory";
  readonly path: string;
  /** The parent's directory at this path whose entries show through; null for a directory made by the step. */
  readonly lower: Entry | null;
  /** The parent has a directory at this path, but its entries are gone. */
  readonly hidesParent: boolean;
  /** Not all of them while there is a `fill`: see `childrenOf`. */
  readonly children: Map<string, PendingNode>;
  /** Puts in what is copied into this directory from one of a source; null when that was done. */
  fill: (() => void) | null;
}

/** A file, link or device the step made. One object under several names is one file with hard links. */
export interface PendingFile extends Attributes {
  readonly type: Exclude<EntryType, "directory">;
  readonly size: number;
  readonly target: string | null;
  readonly device: DeviceNumber | null;
  /** Null for everything but regular files. */
  readonly content: Content | null;
  /** It may have several names, which then are hard links. */
  isLinked: boolean;
  /** Its mtime is the time of the build, so it is new whatever the parent has. */
  readonly isNew: boolean;
}

export type PendingNode = PendingDirectory | PendingFile;

/** What a path holds: something the step made or touched, or an entry of the parent that is no directory. */
export type Found = PendingNode | Entry;

/** The file system a step makes: changes in memory over a parent that is only read. Contents stay where they come from. */
export class PendingTree {
  readonly root: PendingDirectory;
  readonly parent: FileTree;
  readonly #nowSeconds: number;

  constructor(parent: FileTree, nowSeconds: number) {
    this.parent = parent;
    this.#nowSeconds = nowSeconds;
    const lower = parent.lstat("");
    const attributes = lower === null ? newDirectoryAttributes(0o755, nowSeconds) : attributesOf(lower);
    const children = new Map<string, PendingNode>();
    this.root = { type: "directory", path: "", lower, hidesParent: false, children, fill: null, ...attributes };
  }

  /** What stands under `name` in `directory`; a directory of the parent becomes one that can be changed. */
  child(directory: PendingDirectory, name: string): Found | null {
    const known = childrenOf(directory).get(name);
    if (known !== undefined) return known;
    if (directory.lower === null) return null;
    const path = childPath(directory.path, name);
    const lower = this.parent.lstat(path);
    if (lower?.type !== "directory") return lower;
    const node: PendingDirectory = {
      type: "directory",
      path,
      lower,
      hidesParent: false,
      children: new Map(),
      fill: null,
      ...attributesOf(lower),
    };
    directory.children.set(name, node);
    return node;
  }

  /** What stands at `path`, no link followed; null when nothing does. */
  find(path: string): Found | null {
    let found: Found | null = this.root;
    if (path === "") return found;
    for (const name of path.split("/")) {
      if (found === null || !isPendingDirectory(found)) return null;
      found = this.child(found, name);
    }
    return found;
  }

  /** The entry at `path`, as `FileTree.lstat` has it: links in the tree can be resolved with it. */
  lstat(path: string): Entry | null {
    const found = this.find(path);
    if (found === null || "inode" in found) return found;
    const { type, mode, uid, gid, mtimeSeconds, xattrs } = found;
    const metadata = { path, mode, uid, gid, mtimeSeconds, mtimeNanos: 0, xattrs, inode: null };
    if (type === "directory") return { ...metadata, type, size: 0, target: null, device: null };
    return { ...metadata, type, size: found.size, target: found.target, device: found.device };
  }

  /**
   * Puts a file under `name`, in place of whatever is there; the directory's mtime becomes now. What is replaced is
   * simply gone: nothing marks it in a layer, since the new entry hides it.
   */
  putFile(directory: PendingDirectory, name: string, file: PendingFile): void {
    childrenOf(directory).set(name, file);
    directory.mtimeSeconds = this.#nowSeconds;
  }

  /** Makes an empty directory under `name`, in place of whatever is there; the containing directory's mtime becomes now. */
  makeDirectory(directory: PendingDirectory, name: string, attributes: Attributes): PendingDirectory {
    const path = childPath(directory.path, name);
    const made: PendingDirectory = {
      type: "directory",
      path,
      lower: null,
      hidesParent: (directory.lower !== null || directory.hidesParent) && this.parent.lstat(path)?.type === "directory",
      children: new Map(),
      fill: null,
      ...attributes,
    };
    childrenOf(directory).set(name, made);
    directory.mtimeSeconds = this.#nowSeconds;
    return made;
  }

  /**
   * The directory at `path`, made with its parents where it is missing. A new directory has `mode`; without `owner` it
   * belongs to root, or in a setgid directory to that one's group, as mkdir(2) does it; all new ones get `mtimeSeconds`.
   * Throws COPY_CONFLICT when a file stands in the way.
   */
  makeDirectories(
    path: string,
    mode: number,
    owner: { readonly uid: number; readonly gid: number } | null,
    mtimeSeconds: number = this.#nowSeconds,
  ): PendingDirectory {
    let directory = this.root;
    const made: PendingDirectory[] = [];
    for (const name of path === "" ? [] : path.split("/")) {
      const found = this.child(directory, name);
      if (found === null) {
        const attributes = newDirectoryAttributes(mode, mtimeSeconds);
        if ((directory.mode & 0o2000) !== 0) {
          attributes.mode |= 0o2000;
          attributes.gid = directory.gid;
        }
        directory = this.makeDirectory(directory, name, owner === null ? attributes : { ...attributes, ...owner });
        made.push(directory);
      } else if (isPendingDirectory(found)) {
        directory = found;
      } else {
        const place = JSON.stringify(`/${childPath(directory.path, name)}`);
        throw new BuildError("COPY_CONFLICT", `cannot make directory ${place}: got a ${found.type} there already`);
      }
    }
    for (const node of made) node.mtimeSeconds = mtimeSeconds;
    return directory;
  }
}

/**
 * What is in `directory`. A directory that is copied to where nothing was is only looked into now: of a large tree no
 * more needs to be in memory than the directories that are being written.
 */
export function childrenOf(directory: PendingDirectory): Map<string, PendingNode> {
  const { fill, mtimeSeconds } = directory;
  if (fill !== null) {
    directory.fill = null;
    fill();
    directory.mtimeSeconds = mtimeSeconds;
  }
  return directory.children;
}

export const isPendingDirectory = (found: Found): found is PendingDirectory =>
  found.type === "directory" && "children" in found;

const attributesOf = ({ mode, uid, gid, mtimeSeconds, xattrs }: Entry): Attributes => ({
  mode,
  uid,
  gid,
  mtimeSeconds,
  xattrs,
});

const newDirectoryAttributes = (mode: number, mtimeSeconds: number): Attributes => ({
  mode,
  uid: 0,
  gid: 0,
  mtimeSeconds,
  xattrs: null,
});
