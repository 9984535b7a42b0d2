import type { BigIntStats } from "node:fs";
import type { DeviceNumber, Entry, EntryType } from "../layer/entry.ts";

const nanosPerSecond = 1_000_000_000n;

/**
 * What stat(2) says about a file of this machine, as an entry of a build context: owned by 0:0, without xattrs, a socket
 * as an empty file. `inode` is set for a file with several names, even if the others lie outside of the context.
 */
export function hostEntry(path: string, stat: BigIntStats, target: string | null): Entry {
  const type = typeOf(stat);
  const seconds = stat.mtimeNs / nanosPerSecond;
  const nanos = stat.mtimeNs % nanosPerSecond;
  return {
    path,
    type,
    mode: type === "symlink" ? 0o777 : Number(stat.mode & 0o7777n),
    uid: 0,
    gid: 0,
    mtimeSeconds: Number(nanos < 0n ? seconds - 1n : seconds),
    mtimeNanos: Number(nanos < 0n ? nanos + nanosPerSecond : nanos),
    xattrs: null,
    size: type === "file" && !stat.isSocket() ? Number(stat.size) : 0,
    target,
    device: type === "char" || type === "block" ? deviceOf(stat.rdev) : null,
    inode: stat.nlink > 1n && type !== "directory" ? `${stat.dev}:${stat.ino}` : null,
  };
}

function typeOf(stat: BigIntStats): EntryType {
  if (stat.isFile() || stat.isSocket()) return "file";
  if (stat.isDirectory()) return "directory";
  if (stat.isSymbolicLink()) return "symlink";
  if (stat.isCharacterDevice()) return "char";
  return stat.isBlockDevice() ? "block" : "fifo";
}

/** Major and minor number as glibc's gnu_dev_major and gnu_dev_minor take them out of a dev_t. */
function deviceOf(rdev: bigint): DeviceNumber {
  return {
    major: Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xfffff000n)),
    minor: Number((rdev & 0xffn) | ((rdev >> 12n) & 0xffffff00n)),
  };
}
