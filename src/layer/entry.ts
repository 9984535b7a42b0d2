import type { Digest } from "../base/digest.ts";

/** A file's type. Sockets never reach a layer. */
export type EntryType = "file" | "directory" | "symlink" | "char" | "block" | "fifo";

export interface DeviceNumber {
  readonly major: number;
  readonly minor: number;
}

/** What a file system knows about one file, apart from its content. */
export interface Metadata {
  /** Permission bits with setuid, setgid and sticky (0o7777). 0o777 for symlinks. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeSeconds: number;
  /** 0 to 999,999,999; 0 in a layer whose tar was made here. */
  readonly mtimeNanos: number;
  /** Values in base64, keyed by name (`security.capability`); null when there are none. */
  readonly xattrs: Readonly<Record<string, string>> | null;
}

/** One file as a FileTree shows it. */
export interface Entry extends Metadata {
  /**
   * Relative to the root, "/" between components, no leading or trailing "/"; "" is the root itself. Components are
   * names in the string form of `base/file-name.ts`.
   */
  readonly path: string;
  readonly type: EntryType;
  /** Bytes of content; 0 for everything but files. */
  readonly size: number;
  /** A symlink's target, verbatim; null otherwise. */
  readonly target: string | null;
  readonly device: DeviceNumber | null;
  /** Equal for two files of a tree exactly if they are hard links to each other; null when there is only one name. */
  readonly inode: string | null;
}

/**
 * One row of a layer's index. Rows are sorted by path, component by component in byte order, so that a directory
 * stands right before its content.
 */
export interface LayerRow extends Metadata {
  readonly path: string;
  /**
   * `hardlink`: another name of the row `target` of the same layer, which is no directory.
   * `whiteout`: `path` of the lower layers is deleted. `opaque`: the lower layers' content of directory `path` is hidden;
   * stands right after the row of the directory itself, if it has one.
   */
  readonly type: EntryType | "hardlink" | "whiteout" | "opaque";
  readonly size: number;
  /** Symlink: target verbatim. Hardlink: path of the linked row. */
  readonly target: string | null;
  readonly device: DeviceNumber | null;
  /** sha256 of a file's content; null for everything else. */
  readonly digest: Digest | null;
  /** Where a file's content begins in the layer's tar, in bytes; null for everything else. */
  readonly offset: number | null;
}
