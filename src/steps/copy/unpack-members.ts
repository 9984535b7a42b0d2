import { BuildError } from "../../base/errors.ts";
import type { Entry } from "../../layer/entry.ts";
import { baseNameOf, childPath, parentOf } from "../../layer/path-order.ts";
import { resolveInTree } from "../../layer/resolve-path.ts";
import type { ArchiveMember } from "./archive-member.ts";
import { RangeContent, TreeContent } from "./content.ts";
import { fileOf } from "./copy-entries.ts";
import type { Owner } from "./owner.ts";
import {
  type Attributes,
  isPendingDirectory,
  type PendingDirectory,
  type PendingFile,
  type PendingTree,
} from "./pending-tree.ts";
import type { SpoolFile } from "./spool-file.ts";

const root: Owner = { uid: 0, gid: 0 };

/** An archive, uncompressed in a file of this machine. */
export interface Archive {
  readonly content: SpoolFile;
  readonly members: readonly ArchiveMember[];
}

/**
 * Puts the members of an archive into the directory `top` of `pending`, which is the root for every name and link in
 * it: ".." and absolute links do not lead out. Members replace what is there, directories are merged, missing ones are
 * root's. `owner` null keeps their owners.
 * Throws LAYER_MALFORMED for a member that cannot be made, COPY_CONFLICT when a file stands where a directory is needed.
 */
export function unpackMembers(
  archive: Archive,
  top: PendingDirectory,
  pending: PendingTree,
  owner: Owner | null,
): void {
  const unpacker = new Unpacker(archive.content, top, pending, owner);
  for (const member of archive.members) unpacker.add(member);
  unpacker.finish();
}

class Unpacker {
  readonly #content: SpoolFile;
  readonly #top: PendingDirectory;
  readonly #pending: PendingTree;
  readonly #owner: Owner | null;
  /** Directories by their mtime, which is set when nothing is put into them any more. */
  readonly #mtimes = new Map<PendingDirectory, number>();
  /** Directories by the path in the archive that leads to them. */
  readonly #known = new Map<string, PendingDirectory>();

  constructor(content: SpoolFile, top: PendingDirectory, pending: PendingTree, owner: Owner | null) {
    this.#content = content;
    this.#top = top;
    this.#pending = pending;
    this.#owner = owner;
  }

  add(member: ArchiveMember): void {
    if (member.path === "") {
      if (member.type === "directory") return;
      throw refused(member, "would replace the directory the archive is unpacked in");
    }
    const directory = this.#directoryAt(parentOf(member.path));
    const name = baseNameOf(member.path);
    if (member.type === "directory") this.#addDirectory(directory, name, member);
    else if (member.type === "hardlink") this.#addLink(directory, name, member);
    else this.#put(directory, name, this.#fileOf(member, member.type));
  }

  finish(): void {
    for (const [directory, mtimeSeconds] of this.#mtimes) directory.mtimeSeconds = mtimeSeconds;
  }

  /** The directory at `path`, links followed, made as root's if it is missing. */
  #directoryAt(path: string): PendingDirectory {
    let known = path;
    while (known !== "" && !this.#known.has(known)) known = parentOf(known);
    let directory = this.#known.get(known) ?? this.#top;
    for (let at = known.length; at < path.length; ) {
      const start = at === 0 ? 0 : at + 1;
      const end = path.indexOf("/", start);
      at = end < 0 ? path.length : end;
      directory = this.#enter(directory, path.slice(start, at), path.slice(0, at));
      this.#known.set(path.slice(0, at), directory);
    }
    return directory;
  }

  /** The directory `name` in `directory`; `path` is what leads there in the archive. */
  #enter(directory: PendingDirectory, name: string, path: string): PendingDirectory {
    const found = this.#pending.child(directory, name);
    if (found !== null && isPendingDirectory(found)) return found;
    const real = found?.type === "symlink" ? this.#resolve(path, "all") : childPath(directory.path, name);
    return this.#pending.makeDirectories(real, 0o755, root);
  }

  /** Where `path` of the archive lies in the whole tree; links do not leave the top directory. */
  #resolve(path: string, follow: "all" | "parents"): string {
    const tree = { lstat: (inside: string): Entry | null => this.#pending.lstat(this.#path(inside)) };
    return this.#path(resolveInTree(tree, path, follow));
  }

  #path(inside: string): string {
    return inside === "" ? this.#top.path : childPath(this.#top.path, inside);
  }

  #addDirectory(directory: PendingDirectory, name: string, member: ArchiveMember): void {
    const existing = this.#pending.child(directory, name);
    const attributes = this.#attributesOf(member);
    if (existing !== null && isPendingDirectory(existing)) {
      Object.assign(existing, attributes);
      this.#mtimes.set(existing, attributes.mtimeSeconds);
    } else {
      this.#forgetPathsThrough(directory, name);
      const made = this.#pending.makeDirectory(directory, name, attributes);
      this.#mtimes.set(made, attributes.mtimeSeconds);
    }
  }

  #addLink(directory: PendingDirectory, name: string, member: ArchiveMember): void {
    const target = member.target ?? "";
    const inside = this.#directoryOf(target);
    const found = inside === null ? null : this.#pending.child(inside, baseNameOf(target));
    const isItself = inside === directory && baseNameOf(target) === name;
    if (found === null || isItself) throw refused(member, `is a hard link to "/${target}", which does not exist`);
    if (found.type === "directory") throw refused(member, `is a hard link to "/${target}", a directory`);
    const file = "inode" in found ? this.#fileOfParent(found) : found;
    const attributes = this.#attributesOf(member);
    if (file.type === "symlink") Object.assign(file, { uid: attributes.uid, gid: attributes.gid });
    else Object.assign(file, attributes, { xattrs: attributes.xattrs ?? file.xattrs });
    file.isLinked = file.type === "file";
    this.#put(directory, name, file);
  }

  /** The existing directory that `path` of the archive lies in; null when there is none. */
  #directoryOf(path: string): PendingDirectory | null {
    if (path === "") return null;
    const parent = parentOf(path);
    const found = this.#known.get(parent) ?? this.#pending.find(this.#resolve(parent, "all"));
    if (found === null || !isPendingDirectory(found)) return null;
    this.#known.set(parent, found);
    return found;
  }

  #put(directory: PendingDirectory, name: string, file: PendingFile): void {
    this.#forgetPathsThrough(directory, name);
    this.#pending.putFile(directory, name, file);
  }

  /** What a path led to may be another one when a directory or a link on it is replaced. */
  #forgetPathsThrough(directory: PendingDirectory, name: string): void {
    const replaced = this.#pending.child(directory, name)?.type;
    if (replaced === "directory" || replaced === "symlink") this.#known.clear();
  }

  #fileOf(member: ArchiveMember, type: PendingFile["type"]): PendingFile {
    return {
      type,
      ...this.#attributesOf(member),
      size: member.size,
      target: member.target,
      device: member.device,
      content: type === "file" ? new RangeContent(this.#content, member.offset, member.size) : null,
      isLinked: false,
      isNew: false,
    };
  }

  /** A copy of a file of the parent, as linking to it makes one. */
  #fileOfParent(entry: Entry): PendingFile {
    return fileOf(entry, new TreeContent(this.#pending.parent, entry), { owner: null, mode: null });
  }

  #attributesOf({ mode, uid, gid, mtimeSeconds, xattrs }: ArchiveMember): Attributes {
    return { mode, uid: this.#owner?.uid ?? uid, gid: this.#owner?.gid ?? gid, mtimeSeconds, xattrs };
  }
}

const refused = ({ path }: ArchiveMember, what: string): BuildError =>
  new BuildError("LAYER_MALFORMED", `entry ${JSON.stringify(path)} ${what}`);
