import type { Digest } from "../base/digest.ts";
import type { Entry } from "./entry.ts";

/** Content of one file, read from its start. */
export interface FileReader {
  /** What the whole content must hash to, where that is known; whoever reads and hashes all of it compares. */
  readonly digest?: Digest | undefined;
  /** Fills `into` from its start with the next bytes; the number read, 0 at the end. */
  read(into: Uint8Array): number;
  close(): void;
}

/** Content that lies in a tar of this machine. */
export interface TarRange {
  readonly tarFile: string;
  /** Where it begins, in bytes. */
  readonly offset: number;
  readonly digest: Digest;
}

/**
 * A read-only tree of files: a build context, or a stack of layers (RootfsView). Synchronous, because it is walked file
 * by file inside worker threads, where a promise for each of 100,000 files costs more than the system call behind it.
 * Nothing here follows a symlink: `resolve-path.ts` does, and never leaves the root.
 */
export interface FileTree {
  /** The entry at exactly `path`; null when it does not exist or a parent is not a directory. "" is the root. */
  lstat(path: string): Entry | null;
  /** The entries directly inside directory `path`, sorted by name in byte order; empty for everything else. */
  list(path: string): readonly Entry[];
  /** Opens a regular file. Throws CONTEXT_FILE_CHANGED when what is there no longer is what `entry` says. */
  open(entry: Entry): FileReader;
  /** sha256 of a regular file's content; from an index or a stat cache where possible. */
  digest(entry: Entry): Digest;
  /** As `digest`, but null where the file would have to be read. */
  knownDigest(entry: Entry): Digest | null;
  /** Where the content of a regular file lies in a tar; null when it lies in a file of its own. */
  tarRange(entry: Entry): TarRange | null;
  /** Tells the tree what reading `entry` to its end gave, so that `digest` need not read it again. */
  noteDigest(entry: Entry, digest: Digest): void;
}
