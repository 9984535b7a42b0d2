import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { encodeName } from "../base/file-name.ts";
import { makeNode, setModifiedTimeOf, setTimes } from "../sys/files.ts";
import { hasErrno } from "../sys/system-error.ts";
import { setXattr } from "../sys/xattr.ts";
import type { LayerRow, Metadata } from "./entry.ts";
import { fsCall } from "./fs-call.ts";
import type { AssemblyObserver, Inode } from "./layer-assembly.ts";

/** Where overlayfs keeps its own attributes; "user" for mounts with `userxattr` inside a user namespace. */
export type OverlayXattrs = "trusted" | "user";

/**
 * Writes a layer into a directory of its own as overlayfs wants it: owners, modes, times, links; deletions as character
 * devices 0:0 and opaque directories as extended attributes. It goes by the paths of a LayerAssembly, whose parents are
 * directories this class made itself, so no link is ever followed; nobody else may write to the directory meanwhile.
 */
export class DirectoryWriter implements AssemblyObserver {
  readonly #root: Buffer;
  readonly #opaqueXattr: string;
  #file: { readonly fd: number; readonly host: Buffer; readonly inode: Inode } | null = null;

  /** Makes the directory `root`. */
  constructor(root: string, overlayXattrs: OverlayXattrs) {
    this.#root = Buffer.from(`${root}/`);
    this.#opaqueXattr = `${overlayXattrs}.overlay.opaque`;
    fsCall(() => mkdirSync(root, { mode: 0o755 }));
    fsCall(() => chmodSync(root, 0o755));
  }

  madeDirectory(path: string): void {
    fsCall(() => mkdirSync(this.#host(path), { mode: 0o700 }));
  }

  removed(path: string, isDirectory: boolean): void {
    const host = this.#host(path);
    fsCall(() => (isDirectory ? removeTree(host) : unlinkSync(host)));
  }

  linked(path: string, target: string): void {
    fsCall(() => linkSync(this.#host(target), this.#host(path)));
  }

  madeOther(path: string, inode: Inode): void {
    const host = this.#host(path);
    if (inode.type === "symlink") fsCall(() => symlinkSync(encodeName(inode.target as string), host));
    else if (!makeSpecial(host, inode)) return;
    fsCall(() => lchownSync(host, inode.uid, inode.gid));
    if (inode.type !== "symlink") fsCall(() => chmodSync(host, inode.mode));
    setXattrs(host, inode);
    setTimes(host, inode.mtimeSeconds, inode.mtimeNanos);
  }

  /** The content that `write` brings from now on is that of `path`. */
  madeFile(path: string, inode: Inode): void {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    const host = this.#host(path);
    this.#file = { fd: fsCall(() => openSync(host, flags, 0o600)), host, inode };
  }

  write(bytes: Buffer): void {
    const fd = this.#file?.fd;
    if (fd === undefined) return;
    fsCall(() => {
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
    });
  }

  /** The file of the last `madeFile` is complete. */
  endFile(): void {
    if (this.#file === null) return;
    const { fd, host, inode } = this.#file;
    this.#file = null;
    try {
      // In this order: writing and a new owner take a file's capabilities away, a new owner also setuid.
      fsCall(() => fchownSync(fd, inode.uid, inode.gid));
      setXattrs(host, inode);
      fsCall(() => fchmodSync(fd, inode.mode));
      setModifiedTimeOf(fd, BigInt(inode.mtimeSeconds) * 1_000_000_000n + BigInt(inode.mtimeNanos));
    } finally {
      closeSync(fd);
    }
  }

  /**
   * Does what had to wait until everything was in its place: deletions, then the metadata of directories, deepest
   * first. `rows` are all rows of the layer; `implied` are the directories without one, which are 0755 and root's.
   */
  finish(rows: Iterable<LayerRow>, implied: Iterable<string>): void {
    const directories: LayerRow[] = [];
    for (const row of rows) {
      const host = row.path === "" ? this.#root : this.#host(row.path);
      if (row.type === "whiteout") makeNode(host, "char", 0, 0, 0);
      else if (row.type === "opaque") setXattr(host, this.#opaqueXattr, Buffer.from("y"));
      else if (row.type === "directory") directories.push(row);
    }
    // Neither times nor modes of one directory depend on those of another: nothing is made in any of them any more.
    for (const path of implied) finishDirectory(this.#host(path), impliedMetadata);
    for (const row of directories.reverse()) finishDirectory(this.#host(row.path), row);
  }

  /** Closes what is open; what was written is left to whoever owns the directory. */
  abandon(): void {
    if (this.#file !== null) closeSync(this.#file.fd);
    this.#file = null;
  }

  #host(path: string): Buffer {
    return Buffer.concat([this.#root, encodeName(path)]);
  }
}

const impliedMetadata: Metadata = { mode: 0o755, uid: 0, gid: 0, mtimeSeconds: 0, mtimeNanos: 0, xattrs: null };

function finishDirectory(host: Buffer, metadata: Metadata): void {
  fsCall(() => {
    lchownSync(host, metadata.uid, metadata.gid);
    chmodSync(host, metadata.mode);
  });
  setXattrs(host, metadata);
  setTimes(host, metadata.mtimeSeconds, metadata.mtimeNanos);
}

/** False when this process may not make devices: inside a user namespace they are left out, as other builders do. */
function makeSpecial(host: Buffer, inode: Inode): boolean {
  try {
    const { major, minor } = inode.device ?? { major: 0, minor: 0 };
    makeNode(host, inode.type as "char" | "block" | "fifo", 0o600, major, minor);
    return true;
  } catch (error) {
    if (inode.type !== "fifo" && hasErrno(error, "EPERM")) return false;
    throw error;
  }
}

/** An attribute the file system cannot hold is left out; the index still has it. */
function setXattrs(host: Buffer, of: Pick<LayerRow, "xattrs">): void {
  if (of.xattrs === null) return;
  for (const [name, value] of Object.entries(of.xattrs)) {
    try {
      setXattr(host, name, Buffer.from(value, "base64"));
    } catch (error) {
      if (!hasErrno(error, "EOPNOTSUPP", "ENOTSUP", "EPERM")) throw error;
    }
  }
}

function removeTree(host: Buffer): void {
  if (!lstatSync(host).isDirectory()) {
    unlinkSync(host);
    return;
  }
  for (const name of readdirSync(host, { encoding: "buffer" })) {
    removeTree(Buffer.concat([host, Buffer.from("/"), name]));
  }
  rmdirSync(host);
}
