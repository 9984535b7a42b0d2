import { createHash } from "node:crypto";
import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  lchownSync,
  linkSync,
  mkdirSync,
  openSync,
  symlinkSync,
  writeSync,
} from "node:fs";
import { digestFromHex } from "../base/digest.ts";
import { BuildError } from "../base/errors.ts";
import { encodeName } from "../base/file-name.ts";
import { defineTask } from "../base/task.ts";
import type { Entry } from "../layer/entry.ts";
import type { FileTree } from "../layer/file-tree.ts";
import { openRootfsView } from "../layer/rootfs-view.ts";
import { makeNode, setTimes } from "../sys/files.ts";
import { setXattr } from "../sys/xattr.ts";
import { type RootfsSpec, walkTree } from "./rootfs-walk.ts";

export interface RootfsDirectoryInput {
  readonly roots: readonly RootfsSpec[];
  /** New directory, which must not exist: nothing in it was made by others. */
  readonly directory: string;
  /** Keep owners, devices and extended attributes, which only root can; without it setuid and setgid bits go too. */
  readonly asRoot: boolean;
}

export interface RootfsDirectoryResult {
  readonly files: number;
}

export const writeRootfsDirectoryTask = defineTask<RootfsDirectoryInput, RootfsDirectoryResult>(
  "output.writeRootfsDirectory",
);

const bufferBytes = 1 << 20;

/** Writes merged root file systems into a new directory. */
export function writeRootfsDirectory({ roots, directory, asRoot }: RootfsDirectoryInput): RootfsDirectoryResult {
  mkdirSync(directory, { mode: 0o755 });
  const writer = new DirectoryWriter(directory, asRoot);
  for (const { folder, layers } of roots) {
    const tree = openRootfsView(layers);
    const root = tree.lstat("");
    if (folder !== "" && root !== null) writer.makeDirectory(root, folder);
    for (const { entry, path, linkTo } of walkTree(tree, folder)) {
      if (linkTo !== null) writer.link(linkTo, path);
      else writer.write(tree, entry, path);
    }
  }
  return { files: writer.finish() };
}

class DirectoryWriter {
  readonly #root: string;
  readonly #asRoot: boolean;
  readonly #directories: { readonly entry: Entry; readonly path: Buffer }[] = [];
  readonly #buffer = Buffer.allocUnsafe(bufferBytes);
  #files = 0;

  constructor(root: string, asRoot: boolean) {
    this.#root = root;
    this.#asRoot = asRoot;
  }

  makeDirectory(entry: Entry, path: string): void {
    const target = this.#hostPath(path);
    mkdirSync(target, { mode: 0o700 });
    this.#directories.push({ entry, path: target });
  }

  link(from: string, to: string): void {
    linkSync(this.#hostPath(from), this.#hostPath(to));
    this.#files += 1;
  }

  write(tree: FileTree, entry: Entry, path: string): void {
    const target = this.#hostPath(path);
    switch (entry.type) {
      case "directory":
        this.makeDirectory(entry, path);
        return;
      case "file":
        this.#writeFile(tree, entry, target);
        break;
      case "symlink":
        symlinkSync(encodeName(entry.target ?? ""), target);
        if (this.#asRoot) lchownSync(target, entry.uid, entry.gid);
        break;
      default:
        if (entry.type !== "fifo" && !this.#asRoot) return;
        makeNode(target, entry.type, 0o600, entry.device?.major ?? 0, entry.device?.minor ?? 0);
        if (this.#asRoot) lchownSync(target, entry.uid, entry.gid);
        chmodSync(target, this.#modeOf(entry));
    }
    this.#setXattrs(entry, target);
    setTimes(target, entry.mtimeSeconds, entry.mtimeNanos);
    this.#files += 1;
  }

  /** Gives directories their modes and times, which had to wait for their content; the number of files written. */
  finish(): number {
    for (const { entry, path } of this.#directories.reverse()) {
      if (this.#asRoot) lchownSync(path, entry.uid, entry.gid);
      chmodSync(path, this.#modeOf(entry));
      this.#setXattrs(entry, path);
      setTimes(path, entry.mtimeSeconds, entry.mtimeNanos);
    }
    return this.#files;
  }

  #writeFile(tree: FileTree, entry: Entry, target: Buffer): void {
    const reader = tree.open(entry);
    const hash = createHash("sha256");
    try {
      const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
      const fd = openSync(target, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
      try {
        for (let got = reader.read(this.#buffer); got > 0; got = reader.read(this.#buffer)) {
          const part = this.#buffer.subarray(0, got);
          hash.update(part);
          for (let at = 0; at < got; ) at += writeSync(fd, part, at);
        }
        if (this.#asRoot) fchownSync(fd, entry.uid, entry.gid);
        fchmodSync(fd, this.#modeOf(entry));
      } finally {
        closeSync(fd);
      }
    } finally {
      reader.close();
    }
    const [got, want] = [digestFromHex(hash.digest("hex")), tree.digest(entry)];
    if (got !== want)
      throw new BuildError(
        "BLOB_DIGEST_MISMATCH",
        `content of ${JSON.stringify(entry.path)}: got ${got}, want ${want}`,
      );
  }

  /** A setuid program owned by whoever exports it would let others act as him. */
  #modeOf(entry: Entry): number {
    return this.#asRoot ? entry.mode : entry.mode & ~0o6000;
  }

  #setXattrs(entry: Entry, path: Buffer): void {
    if (!this.#asRoot) return;
    for (const [name, value] of Object.entries(entry.xattrs ?? {})) setXattr(path, name, Buffer.from(value, "base64"));
  }

  #hostPath(path: string): Buffer {
    return Buffer.concat([Buffer.from(`${this.#root}/`), encodeName(path)]);
  }
}
