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
import { encodeName } from "../base/file-name.ts";
import { defineTask } from "../base/task.ts";
import type { TarEntry } from "../layer/encode-tar.ts";
import type { FileReader } from "../layer/file-tree.ts";
import type { NewRow } from "../layer/layer-writer.ts";
import { makeNode, setTimes } from "../sys/files.ts";
import { setXattr } from "../sys/xattr.ts";
import { type RootfsSpec, rootfsEntries } from "./rootfs-entries.ts";

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
  for (const root of roots) for (const entry of rootfsEntries(root)) writer.write(entry);
  return { files: writer.finish() };
}

class DirectoryWriter {
  readonly #root: string;
  readonly #asRoot: boolean;
  readonly #directories: { readonly row: NewRow; readonly path: Buffer }[] = [];
  readonly #buffer = Buffer.allocUnsafe(bufferBytes);
  /** Devices only root can make; a hard link to one has nothing to lead to. */
  readonly #leftOut = new Set<string>();
  #files = 0;

  constructor(root: string, asRoot: boolean) {
    this.#root = root;
    this.#asRoot = asRoot;
  }

  write({ row, open }: TarEntry): void {
    const target = this.#hostPath(row.path);
    switch (row.type) {
      case "directory":
        mkdirSync(target, { mode: 0o700 });
        this.#directories.push({ row, path: target });
        return;
      case "file":
        this.#writeFile(row, open(), target);
        break;
      case "hardlink":
        if (this.#leftOut.has(row.target ?? "")) return;
        linkSync(this.#hostPath(row.target ?? ""), target);
        this.#files += 1;
        return;
      case "symlink":
        symlinkSync(encodeName(row.target ?? ""), target);
        if (this.#asRoot) lchownSync(target, row.uid, row.gid);
        break;
      case "char":
      case "block":
      case "fifo":
        if (row.type !== "fifo" && !this.#asRoot) {
          this.#leftOut.add(row.path);
          return;
        }
        makeNode(target, row.type, 0o600, row.device?.major ?? 0, row.device?.minor ?? 0);
        if (this.#asRoot) lchownSync(target, row.uid, row.gid);
        chmodSync(target, this.#modeOf(row));
        break;
      default:
        return;
    }
    this.#setXattrs(row, target);
    setTimes(target, row.mtimeSeconds, row.mtimeNanos);
    this.#files += 1;
  }

  /** Gives directories their modes and times, which had to wait for their content; the number of files written. */
  finish(): number {
    for (const { row, path } of this.#directories.reverse()) {
      if (this.#asRoot) lchownSync(path, row.uid, row.gid);
      chmodSync(path, this.#modeOf(row));
      this.#setXattrs(row, path);
      setTimes(path, row.mtimeSeconds, row.mtimeNanos);
    }
    return this.#files;
  }

  #writeFile(row: NewRow, content: FileReader, target: Buffer): void {
    try {
      const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
      const fd = openSync(target, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
      try {
        for (let got = content.read(this.#buffer); got > 0; got = content.read(this.#buffer))
          for (let at = 0; at < got; ) at += writeSync(fd, this.#buffer, at, got - at);
        if (this.#asRoot) fchownSync(fd, row.uid, row.gid);
        fchmodSync(fd, this.#modeOf(row));
      } finally {
        closeSync(fd);
      }
    } finally {
      content.close();
    }
  }

  /** A setuid program owned by whoever exports it would let others act as him. */
  #modeOf(row: NewRow): number {
    return this.#asRoot ? row.mode : row.mode & ~0o6000;
  }

  #setXattrs(row: NewRow, path: Buffer): void {
    if (!this.#asRoot) return;
    for (const [name, value] of Object.entries(row.xattrs ?? {})) setXattr(path, name, Buffer.from(value, "base64"));
  }

  #hostPath(path: string): Buffer {
    return Buffer.concat([Buffer.from(`${this.#root}/`), encodeName(path)]);
  }
}
