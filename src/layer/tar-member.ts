import type { DeviceNumber, EntryType } from "./entry.ts";

/** One member of a tar, as its headers describe it. Names are the bytes that stand there, neither cleaned nor judged. */
export interface TarMember {
  readonly name: Buffer;
  readonly type: EntryType | "hardlink";
  /** Target of a symlink or hard link; empty otherwise. */
  readonly linkName: Buffer;
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of content; 0 for everything but files. */
  readonly size: number;
  readonly mtimeSeconds: number;
  readonly mtimeNanos: number;
  readonly device: DeviceNumber | null;
  readonly xattrs: ReadonlyMap<string, Buffer>;
  /** Where the content begins in the tar, in bytes. */
  readonly offset: number;
}

/** How much a tar may hold before it is refused; all absolute. */
export interface TarLimits {
  readonly maxMembers: number;
  /** The whole uncompressed tar. */
  readonly maxTarBytes: number;
  /** One extended header or long name. */
  readonly maxHeaderBytes: number;
}

export const defaultTarLimits: TarLimits = {
  maxMembers: 1_000_000,
  maxTarBytes: 64 * 1024 ** 3,
  maxHeaderBytes: 1024 ** 2,
};
