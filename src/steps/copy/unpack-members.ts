import type { Entry } from "../../layer/entry.ts";
import { checkLinkTarget, cleanMemberName, refused } from "../../layer/member-path.ts";
import { baseNameOf, childPath, parentOf } from "../../layer/path-order.ts";
import { resolveInTree } from "../../layer/resolve-path.ts";
import type { TarMember } from "../../layer/tar-member.ts";
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

const root: Owner = { uid: 0, gid: 0 };
/** Until the year 2262, as Go's archive code bounds it; anything else is 1970. */
const maxMtimeSeconds = 9_223_372_036;

/** An archive, uncompressed in a file of this machine. */
export interface Archive {
  readonly tarFile: string;
  readonly members: readonly TarMember[];
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
  const unpacker = new Unpacker(archive.tarFile, top, pending, owner);
  for (const member of archive.members) unpacker.add(member);
  unpacker.finish();
}

class Unpacker {
  readonly #tarFile: string;
  readonly #top: PendingDirectory;
  readonly #pending: PendingTree;
  readonly #owner: Owner | null;
  /** Directories by their mtime, which is set when nothing is put into them any more. */
  readonly #directories = new Map<PendingDirectory, number>();

  constructor(tarFile: string, top: PendingDirectory, pending: PendingTree, owner: Owner | null) {
    this.#tarFile = tarFile;
    this.#top = top;
    this.#pending = pending;
    this.#owner = owner;
  }

  add(member: TarMember): void {
    const path = cleanMemberName(member.name);
    if (path === "") {
      if (member.type === "directory") return;
      throw refused(member.name, "would replace the directory the archive is unpacked in");
    }
    const directory = this.#parentOf(path);
    const name = baseNameOf(path);
    if (member.type === "directory") this.#addDirectory(directory, name, member);
    else if (member.type === "hardlink") this.#addLink(directory, name, member);
    else this.#pending.putFile(directory, name, this.#fileOf(member, member.type));
  }

  finish(): void {
    for (const [directory, mtimeSeconds] of this.#directories) directory.mtimeSeconds = mtimeSeconds;
  }

  /** The directory a member lies in, links followed, made as root's if it is missing. */
  #parentOf(path: string): PendingDirectory {
    const parent = this.#resolve(parentOf(path), "all");
    return this.#pending.makeDirectories(this.#path(parent), 0o755, root);
  }

  /** Where `path` lies, as seen from the top directory, which links do not leave. */
  #resolve(path: string, follow: "all" | "parents"): string {
    const tree = { lstat: (inside: string): Entry | null => this.#pending.lstat(this.#path(inside)) };
    return resolveInTree(tree, path, follow);
  }

  #addDirectory(directory: PendingDirectory, name: string, member: TarMember): void {
    const existing = this.#pending.child(directory, name);
    const attributes = this.#attributesOf(member);
    if (existing !== null && isPendingDirectory(existing)) {
      Object.assign(existing, attributes);
      this.#directories.set(existing, attributes.mtimeSeconds);
    } else {
      const made = this.#pending.makeDirectory(directory, name, attributes);
      this.#directories.set(made, attributes.mtimeSeconds);
    }
  }

  #addLink(directory: PendingDirectory, name: string, member: TarMember): void {
    const target = this.#resolve(cleanMemberName(member.linkName), "parents");
    const targetPath = this.#path(target);
    const found = this.#pending.find(targetPath);
    const linkPath = childPath(directory.path, name);
    if (found === null || targetPath === linkPath)
      throw refused(member.name, `is a hard link to "/${target}", which does not exist`);
    if (found.type === "directory") throw refused(member.name, `is a hard link to "/${target}", a directory`);
    const file = "inode" in found ? this.#fileOfParent(found) : found;
    const attributes = this.#attributesOf(member);
    if (file.type === "symlink") Object.assign(file, { uid: attributes.uid, gid: attributes.gid });
    else Object.assign(file, attributes, { xattrs: attributes.xattrs ?? file.xattrs });
    file.isLinked = file.type === "file";
    this.#pending.putFile(directory, name, file);
  }

  #fileOf(member: TarMember, type: PendingFile["type"]): PendingFile {
    const attributes = this.#attributesOf(member);
    return {
      type,
      ...attributes,
      mode: type === "symlink" ? 0o777 : attributes.mode,
      size: member.size,
      target: type === "symlink" ? checkLinkTarget(member.name, member.linkName) : null,
      device: member.device,
      content: type === "file" ? new RangeContent(this.#tarFile, member.offset, member.size) : null,
      isLinked: false,
      isNew: false,
    };
  }

  #attributesOf(member: TarMember): Attributes {
    const { uid, gid } = this.#owner ?? member;
    const isBound = member.mtimeSeconds >= 0 && member.mtimeSeconds <= maxMtimeSeconds;
    const capability = member.xattrs.get("security.capability");
    return {
      mode: member.mode,
      uid,
      gid,
      mtimeSeconds: isBound ? member.mtimeSeconds : 0,
      xattrs: capability === undefined ? null : { "security.capability": capability.toString("base64") },
    };
  }

  /** A copy of a file of the parent, as linking to it makes one. */
  #fileOfParent(entry: Entry): PendingFile {
    return fileOf(entry, new TreeContent(this.#pending.parent, entry), { owner: null, mode: null });
  }

  /** The path in the whole tree of `inside`, a path as seen from the top directory. */
  #path(inside: string): string {
    return inside === "" ? this.#top.path : childPath(this.#top.path, inside);
  }
}
