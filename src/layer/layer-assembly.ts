import type { Digest } from "../base/digest.ts";
import { BuildError } from "../base/errors.ts";
import { compareNames } from "../base/file-name.ts";
import type { LayerRow } from "./entry.ts";
import { markRow } from "./index-line.ts";
import { checkLinkTarget, cleanMemberName, refused } from "./member-path.ts";
import { childPath } from "./path-order.ts";
import type { TarMember } from "./tar-member.ts";
import { opaqueName, whiteoutPrefix } from "./whiteout-name.ts";

/** As many links as Go's filepath.EvalSymlinks follows. */
const maxLinks = 255;
/** Steps from directory to directory on the way to all entries; only a hostile layer takes more than a few for each. */
const maxSteps = 20_000_000;
/** containerd stores times outside of these as 1970, since not every file system can. */
const maxSeconds = 9_223_372_036;
/** Names aufs kept its own things under; no builder has written them for a decade, and all readers skip them. */
const aufsPrefix = ".wh..wh.";

/** Content and metadata of one file, shared by all its names. */
export interface Inode extends Omit<LayerRow, "path" | "digest"> {
  readonly type: Exclude<LayerRow["type"], "hardlink" | "whiteout" | "opaque">;
  /** Set when the content has come. */
  digest: Digest | null;
  /** Whether a second name was given to it. */
  isLinked: boolean;
}

interface Node {
  /** Null for a directory that only exists because something lies in it. */
  inode: Inode | null;
  /** Null for everything but directories. */
  readonly children: Map<string, Node> | null;
  isOpaque: boolean;
  /** Names in it that are deleted from the lower layers; null for everything but directories. */
  readonly whiteouts: Set<string> | null;
}

/** Is told what happens to the tree, in an order in which it can be done on a disk. Parents are always there. */
export interface AssemblyObserver {
  madeDirectory(path: string): void;
  /** What is at `path`, with everything in it, makes room for something else. */
  removed(path: string, isDirectory: boolean): void;
  madeFile(path: string, inode: Inode): void;
  madeOther(path: string, inode: Inode): void;
  linked(path: string, target: string): void;
}

/**
 * Collects the members of a foreign layer into the tree they mean, whatever their order: of members with the same name
 * the last counts, links among the parents are followed inside the layer and never out of its root, whiteouts only
 * concern lower layers (OCI image-spec, layer.md). Throws LAYER_MALFORMED where no sane reading exists.
 */
export class LayerAssembly {
  readonly #root: Node = directoryNode(null);
  readonly #observer: AssemblyObserver | null;
  readonly #maxNodes: number;
  readonly #hasMarks: boolean;
  #nodeCount = 0;
  #steps = 0;
  #lastParent: { readonly path: string; readonly at: string; readonly node: Node } | null = null;

  /**
   * `maxNodes`: how many files and directories there may be, directories that are only implied included. Without
   * `hasMarks` the tar is no layer, and `.wh.` begins the name of a file like any other.
   */
  constructor(observer: AssemblyObserver | null, maxNodes: number, hasMarks = true) {
    this.#observer = observer;
    this.#maxNodes = maxNodes;
    this.#hasMarks = hasMarks;
  }

  /** Returns the inode that gets the member's content, null when it has none to keep. */
  add(member: TarMember): Inode | null {
    const cleaned = cleanMemberName(member.name);
    if (cleaned === "" || (this.#hasMarks && cleaned.startsWith(aufsPrefix))) {
      if (cleaned === opaqueName) this.#root.isOpaque = true;
      return null;
    }
    const slashAt = cleaned.lastIndexOf("/");
    const name = cleaned.slice(slashAt + 1);
    const parent = this.#parent(slashAt < 0 ? "" : cleaned.slice(0, slashAt), member);
    if (this.#hasMarks && name === opaqueName) parent.node.isOpaque = true;
    else if (this.#hasMarks && name.startsWith(whiteoutPrefix))
      addWhiteout(parent.node, name.slice(whiteoutPrefix.length), member);
    else if (member.type === "hardlink") this.#addLink(parent, name, member);
    else return this.#addEntry(parent, name, member);
    return null;
  }

  /** The rows of the layer, sorted. */
  *rows(): Generator<LayerRow> {
    const firstNames = new Map<Inode, string>();
    if (this.#root.isOpaque) yield markRow("", "opaque");
    yield* this.#rowsIn("", this.#root, this.#root.isOpaque, firstNames);
  }

  /** Directories that only exist because something lies in them, each before what lies in it. */
  *impliedDirectories(): Generator<string> {
    const left: (readonly [string, Node])[] = [["", this.#root]];
    for (let next = left.pop(); next !== undefined; next = left.pop()) {
      const [path, node] = next;
      if (path !== "" && node.inode === null) yield path;
      for (const [name, child] of node.children ?? [])
        if (child.children !== null) left.push([childPath(path, name), child]);
    }
  }

  /** `isHiding`: nothing of the lower layers shows in `directory`, so whiteouts in it say nothing new. */
  *#rowsIn(path: string, directory: Node, isHiding: boolean, firstNames: Map<Inode, string>): Generator<LayerRow> {
    const children = directory.children as Map<string, Node>;
    const deleted = isHiding ? [] : [...(directory.whiteouts ?? [])].filter((name) => !children.has(name));
    for (const name of [...children.keys(), ...deleted].sort(compareNames)) {
      const child = childPath(path, name);
      const node = children.get(name);
      if (node === undefined) {
        yield markRow(child, "whiteout");
        continue;
      }
      const inode = node.inode;
      const first = inode?.isLinked === true ? firstNames.get(inode) : undefined;
      if (inode !== null && first !== undefined) yield linkRow(child, first, inode);
      else if (inode !== null) yield rowOf(child, inode);
      if (inode?.isLinked === true && first === undefined) firstNames.set(inode, child);
      if (node.children === null) continue;
      const isOpaque = node.isOpaque || directory.whiteouts?.has(name) === true;
      if (isOpaque) yield markRow(child, "opaque");
      yield* this.#rowsIn(child, node, isHiding || isOpaque, firstNames);
    }
  }

  #addEntry(parent: Place, name: string, member: TarMember): Inode | null {
    const inode = inodeOf(member);
    const path = childPath(parent.at, name);
    const existing = parent.node.children?.get(name);
    if (existing?.children && inode.type === "directory") {
      existing.inode = inode;
      return null;
    }
    this.#makeRoom(parent.node, name, path);
    const node = inode.type === "directory" ? directoryNode(inode) : leafNode(inode);
    this.#attach(parent.node, name, node);
    if (inode.type === "directory") this.#observer?.madeDirectory(path);
    else if (inode.type === "file") this.#observer?.madeFile(path, inode);
    else this.#observer?.madeOther(path, inode);
    return inode.type === "file" ? inode : null;
  }

  #addLink(parent: Place, name: string, member: TarMember): void {
    const cleaned = cleanMemberName(member.linkName);
    const slashAt = cleaned.lastIndexOf("/");
    const targetParent = this.#parent(slashAt < 0 ? "" : cleaned.slice(0, slashAt), member, false);
    const target = targetParent?.node.children?.get(cleaned.slice(slashAt + 1));
    if (targetParent === null || !target?.inode || target.children !== null) {
      throw refused(member.name, `is a hard link to ${JSON.stringify(cleaned)}, which is no file of this layer`);
    }
    const path = childPath(parent.at, name);
    const targetPath = childPath(targetParent.at, cleaned.slice(slashAt + 1));
    if (path === targetPath) throw refused(member.name, "is a hard link to itself");
    this.#makeRoom(parent.node, name, path);
    if (targetParent.node.children?.get(cleaned.slice(slashAt + 1)) !== target || !this.#exists(targetPath)) {
      throw refused(member.name, `is a hard link to ${JSON.stringify(cleaned)}, which it replaces`);
    }
    target.inode.isLinked = true;
    this.#attach(parent.node, name, leafNode(target.inode));
    this.#observer?.linked(path, targetPath);
  }

  #attach(parent: Node, name: string, node: Node): void {
    parent.children?.set(name, node);
    this.#nodeCount += 1;
    if (this.#nodeCount > this.#maxNodes) {
      throw new BuildError("LAYER_TOO_LARGE", `layer has more than ${this.#maxNodes} files and directories`);
    }
  }

  #exists(path: string): boolean {
    let node: Node | undefined = this.#root;
    for (const name of path.split("/")) node = node?.children?.get(name);
    return node !== undefined;
  }

  #makeRoom(parent: Node, name: string, path: string): void {
    const existing = parent.children?.get(name);
    if (existing === undefined) return;
    parent.children?.delete(name);
    this.#lastParent = null;
    this.#observer?.removed(path, existing.children !== null);
  }

  #parent(path: string, member: TarMember): Place;
  #parent(path: string, member: TarMember, isMade: false): Place | null;
  /** The directory that `path` leads to through the links of this layer; made where it is missing, unless `isMade` is false. */
  #parent(path: string, member: TarMember, isMade = true): Place | null {
    if (this.#lastParent?.path === path) return this.#lastParent;
    const left = path.split("/").reverse();
    /** Directories from the root to where we are, and their names. */
    const trail: Node[] = [this.#root];
    const names: string[] = [];
    let links = 0;
    for (let name = left.pop(); name !== undefined; name = left.pop()) {
      this.#steps += 1;
      if (this.#steps > maxSteps)
        throw new BuildError("LAYER_TOO_LARGE", `layer takes more than ${maxSteps} steps to walk`);
      if (name === "" || name === ".") continue;
      if (name === "..") {
        if (names.pop() !== undefined) trail.pop();
        continue;
      }
      const directory = trail[trail.length - 1] as Node;
      let next = directory.children?.get(name);
      if (next?.inode?.type === "symlink") {
        links += 1;
        if (links > maxLinks) throw refused(member.name, `lies behind more than ${maxLinks} symbolic links`);
        const target = next.inode.target as string;
        if (target.startsWith("/")) {
          trail.length = 1;
          names.length = 0;
        }
        left.push(...target.split("/").reverse());
        continue;
      }
      if (next === undefined) {
        if (!isMade) return null;
        if (Buffer.byteLength(name) > 255) throw refused(member.name, "lies behind a link to a name that is too long");
        next = directoryNode(null);
        this.#attach(directory, name, next);
        this.#observer?.madeDirectory([...names, name].join("/"));
      }
      if (next.children === null) {
        if (!isMade) return null;
        throw refused(member.name, `lies inside ${JSON.stringify([...names, name].join("/"))}, which is no directory`);
      }
      trail.push(next);
      names.push(name);
    }
    const at = names.join("/");
    if (Buffer.byteLength(at) > 4095) throw refused(member.name, "lies too deep");
    this.#lastParent = { path, at, node: trail[trail.length - 1] as Node };
    return this.#lastParent;
  }
}

interface Place {
  /** Its path, links resolved. */
  readonly at: string;
  readonly node: Node;
}

const directoryNode = (inode: Inode | null): Node => ({
  inode,
  children: new Map(),
  isOpaque: false,
  whiteouts: new Set(),
});

const leafNode = (inode: Inode): Node => ({ inode, children: null, isOpaque: false, whiteouts: null });

function addWhiteout(parent: Node, name: string, member: TarMember): void {
  if (name === "" || name === "." || name === ".." || name.startsWith(whiteoutPrefix)) {
    throw refused(member.name, "is a whiteout of no possible name");
  }
  parent.whiteouts?.add(name);
}

function inodeOf(member: TarMember): Inode {
  if (member.type === "hardlink") throw refused(member.name, "is a hard link");
  if (member.type === "char" && member.device?.major === 0 && member.device.minor === 0) {
    throw refused(member.name, "is a character device 0:0, which overlayfs takes for a deletion");
  }
  const isTimeKept = member.mtimeSeconds >= 0 && member.mtimeSeconds <= maxSeconds;
  const xattrs = [...member.xattrs].filter(([name]) => !/^(trusted|user)\.overlay\./.test(name));
  return {
    type: member.type,
    mode: member.type === "symlink" ? 0o777 : member.mode,
    uid: member.uid,
    gid: member.gid,
    mtimeSeconds: isTimeKept ? member.mtimeSeconds : 0,
    mtimeNanos: isTimeKept ? member.mtimeNanos : 0,
    xattrs:
      xattrs.length === 0 ? null : Object.fromEntries(xattrs.map(([name, value]) => [name, value.toString("base64")])),
    size: member.size,
    target: member.type === "symlink" ? checkLinkTarget(member.name, member.linkName) : null,
    device: member.device,
    offset: member.type === "file" ? member.offset : null,
    digest: null,
    isLinked: false,
  };
}

function rowOf(path: string, inode: Inode): LayerRow {
  const { isLinked: _, ...row } = inode;
  return { path, ...row };
}

function linkRow(path: string, target: string, inode: Inode): LayerRow {
  return { ...rowOf(path, inode), type: "hardlink", target, size: 0, device: null, offset: null, digest: null };
}
