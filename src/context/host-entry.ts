import type { BigIntStats } from "node:fs";
import type { DeviceNumber, Entry, EntryType } from "../layer/entry.ts";
import { factAt, factCount } from "./file-facts.ts";

const nanosPerSecond = 1_000_000_000n;
const typeBits = 0o170000;
const socketBits = 0o140000;
const hasSeveralNames = 1 << 16;

/** Type and permission bits as stat(2) has them, and whether the file has several names: what facts do not tell. */
export const shapeOf = (stat: BigIntStats): number =>
  (Number(stat.mode) & 0xffff) | (stat.nlink > 1n ? hasSeveralNames : 0);

export const isSocket = (shape: number): boolean => (shape & typeBits) === socketBits;

/**
 * What stat(2) said about a file of this machine, as an entry of a build context: owned by 0:0, without xattrs, a socket
 * as an empty file. `facts` holds those of the file at group `index`. `inode` is set for a file with several names, even
 * if the others lie outside of the context.
 */
export function hostEntry(
  path: string,
  shape: number,
  facts: BigInt64Array,
  index: number,
  target: string | null,
  device: DeviceNumber | null,
): Entry {
  const at = index * factCount;
  const type = typeOf(shape);
  const mtimeNs = facts[at + factAt.mtimeNs] as bigint;
  const seconds = mtimeNs / nanosPerSecond;
  const nanos = mtimeNs % nanosPerSecond;
  const isLinked = (shape & hasSeveralNames) !== 0 && type !== "directory";
  return {
    path,
    type,
    mode: type === "symlink" ? 0o777 : shape & 0o7777,
    uid: 0,
    gid: 0,
    mtimeSeconds: Number(nanos < 0n ? seconds - 1n : seconds),
    mtimeNanos: Number(nanos < 0n ? nanos + nanosPerSecond : nanos),
    xattrs: null,
    size: type === "file" && !isSocket(shape) ? Number(facts[at + factAt.size]) : 0,
    target,
    device,
    inode: isLinked ? `${facts[at + factAt.device]}:${facts[at + factAt.inode]}` : null,
  };
}

function typeOf(shape: number): EntryType {
  switch (shape & typeBits) {
    case 0o100000:
    case socketBits:
      return "file";
    case 0o040000:
      return "directory";
    case 0o120000:
      return "symlink";
    case 0o020000:
      return "char";
    case 0o060000:
      return "block";
    default:
      return "fifo";
  }
}

/** Major and minor number as glibc's gnu_dev_major and gnu_dev_minor take them out of a dev_t; null for no device. */
export function deviceOf(stat: BigIntStats, shape: number): DeviceNumber | null {
  const type = typeOf(shape);
  if (type !== "char" && type !== "block") return null;
  const { rdev } = stat;
  return {
    major: Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xfffff000n)),
    minor: Number((rdev & 0xffn) | ((rdev >> 12n) & 0xffffff00n)),
  };
}
