import { constants, lutimesSync } from "node:fs";
import { cString, lastErrno, libcFunction } from "./native.ts";
import { errnoNumbers, systemError } from "./system-error.ts";

const mknod = libcFunction("int mknod(const void *path, unsigned int mode, uint64_t device)");
const utimensat = libcFunction("int utimensat(int directory, const void *path, const void *times, int flags)");
const futimens = libcFunction("int futimens(int fd, const void *times)");
const openat = libcFunction("int openat(int directory, const void *path, int flags, unsigned int mode)");
const mkdirat = libcFunction("int mkdirat(int directory, const void *path, unsigned int mode)");
const unlinkat = libcFunction("int unlinkat(int directory, const void *path, int flags)");

const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_REMOVEDIR = 0x200;
const O_CLOEXEC = 0x80000;

/** What `makeNode` makes; a whiteout of overlayfs is `char` with device 0:0. */
export type NodeType = "char" | "block" | "fifo";

const typeBits = { char: constants.S_IFCHR, block: constants.S_IFBLK, fifo: constants.S_IFIFO } as const;

/** dev_t as Linux encodes it for user space, for numbers that fit its 32 bit form. */
const deviceNumber = (major: number, minor: number): bigint =>
  BigInt((minor & 0xff) | ((major & 0xfff) << 8)) | (BigInt(minor >>> 8) << 20n);

/** Makes a device or fifo (mknod(2)); the mode is subject to the umask. */
export function makeNode(path: Buffer, type: NodeType, mode: number, major: number, minor: number): void {
  if (mknod(cString(path), typeBits[type] | mode, deviceNumber(major, minor)) < 0) {
    throw systemError("mknod", path, lastErrno());
  }
}

/** Two `struct timespec`: access and modification time, each as seconds and nanoseconds. */
function timesOf(access: readonly [bigint, bigint], modification: readonly [bigint, bigint]): Buffer {
  const times = Buffer.alloc(32);
  [...access, ...modification].forEach((part, index) => {
    times.writeBigInt64LE(part, 8 * index);
  });
  return times;
}

/** Sets access and modification time of `path` itself (links are not followed), to the nanosecond. */
export function setTimes(path: Buffer, seconds: number, nanos: number): void {
  if (process.platform !== "linux") {
    lutimesSync(path, seconds + nanos / 1e9, seconds + nanos / 1e9);
    return;
  }
  const time = [BigInt(seconds), BigInt(nanos)] as const;
  if (utimensat(AT_FDCWD, cString(path), timesOf(time, time), AT_SYMLINK_NOFOLLOW) < 0) {
    throw systemError("utimensat", path, lastErrno());
  }
}

/** Sets the modification time of an open file, in nanoseconds since the epoch, and leaves its access time alone. */
export function setModifiedTimeOf(fd: number, mtimeNs: bigint): void {
  const unchanged = [0n, (1n << 30n) - 2n] as const; // UTIME_OMIT
  const nanos = ((mtimeNs % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  if (futimens(fd, timesOf(unchanged, [(mtimeNs - nanos) / 1_000_000_000n, nanos])) < 0) {
    throw systemError("futimens", null, lastErrno());
  }
}

/** Opens `name` inside an open directory, with O_CLOEXEC; the last component is followed unless `flags` has O_NOFOLLOW. */
export function openAt(directory: number, name: Buffer, flags: number, mode = 0): number {
  const fd = openat(directory, cString(name), flags | O_CLOEXEC, mode);
  if (fd < 0) throw systemError("openat", name, lastErrno());
  return fd;
}

/** Makes a directory inside an open one; false when something of that name is there. */
export function makeDirectoryAt(directory: number, name: Buffer, mode: number): boolean {
  if (mkdirat(directory, cString(name), mode) >= 0) return true;
  const errno = lastErrno();
  if (errno === errnoNumbers.EEXIST) return false;
  throw systemError("mkdirat", name, errno);
}

/** Removes a file, or an empty directory, inside an open directory. */
export function removeAt(directory: number, name: Buffer, type: "file" | "directory"): void {
  if (unlinkat(directory, cString(name), type === "directory" ? AT_REMOVEDIR : 0) < 0) {
    throw systemError("unlinkat", name, lastErrno());
  }
}
