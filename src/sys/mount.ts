import { cString, lastErrno, libcFunction, type NativeArgument } from "./native.ts";
import { doSyscall, trySyscall } from "./syscall.ts";
import { errnoName, systemError } from "./system-error.ts";

const cMount = libcFunction(
  "int mount(const void *source, const void *target, const void *type, unsigned long flags, const void *data)",
);
const cUmount = libcFunction("int umount2(const void *target, int flags)");

const optional = (text: string | null): NativeArgument => (text === null ? null : cString(text));

/** Flags of mount(2). */
export const mountFlags = {
  readOnly: 1,
  noSuid: 2,
  noDev: 4,
  noExec: 8,
  remount: 32,
  bind: 4096,
  recursive: 16384,
  private: 1 << 18,
  strictAtime: 1 << 24,
} as const;

export interface MountRequest {
  /** What is shown as the source; a path only for bind mounts. */
  readonly source: string | null;
  readonly target: Uint8Array | string;
  readonly type: string | null;
  readonly flags: number;
  readonly data: string | null;
}

/** mount(2), in the mount namespace of the calling thread. */
export function mount(request: MountRequest): void {
  const { source, target, type, flags, data } = request;
  if (cMount(optional(source), cString(target), optional(type), flags, optional(data)) < 0) {
    throw systemError(`mount ${type ?? "flags"}`, target, lastErrno());
  }
}

/** Takes a mount away, also when it is in use: what holds it open keeps it alive but nobody finds it any more. */
export function unmountLazily(target: string): void {
  const MNT_DETACH = 2;
  if (cUmount(cString(target), MNT_DETACH) < 0) throw systemError("umount2", target, lastErrno());
}

/** Makes `newRoot`, a mount point, the root; the old one becomes visible at `putOld` (pivot_root(2)). */
export function pivotRoot(newRoot: string, putOld: string): void {
  doSyscall("pivot_root", newRoot, cString(newRoot), cString(putOld));
}

const AT_FDCWD = -100;
const AT_EMPTY_PATH = 0x1000;
const OPEN_TREE_CLONE = 1;
const O_CLOEXEC = 0x80000;

/**
 * A new mount, attached nowhere, that shows what the open file `fd` is, without the mounts below it; as a descriptor.
 * It ends when the descriptor is closed, unless `attachMount` gave it a place. For fd null, `path` is opened.
 */
export function cloneMount(fd: number | null, path = ""): number {
  const flags = OPEN_TREE_CLONE | O_CLOEXEC | (path === "" ? AT_EMPTY_PATH : 0);
  return doSyscall("open_tree", path, fd ?? AT_FDCWD, cString(path), flags);
}

/** Gives a detached mount a place. */
export function attachMount(mountFd: number, target: Uint8Array | string): void {
  const MOVE_MOUNT_F_EMPTY_PATH = 4;
  doSyscall("move_mount", target, mountFd, cString(""), AT_FDCWD, cString(target), MOVE_MOUNT_F_EMPTY_PATH);
}

/** Attributes of mount_setattr(2). */
export const mountAttributes = { readOnly: 1, noSuid: 2, noDev: 4, noExec: 8 } as const;

/** Sets attributes of the mount that `mountFd` is the root of. */
export function restrictMount(mountFd: number, attributes: number): void {
  const argument = Buffer.alloc(32);
  argument.writeBigUInt64LE(BigInt(attributes), 0);
  doSyscall("mount_setattr", null, mountFd, cString(""), AT_EMPTY_PATH, argument, argument.length);
}

/** How openat2(2) may walk. */
export const resolveFlags = { noCrossMounts: 1, noMagicLinks: 2, noSymlinks: 4, beneath: 8, inRoot: 16 } as const;

/**
 * openat2(2): opens `path` from the open directory `directory`, walking as `resolve` allows; with `inRoot` the
 * directory is what "/" and ".." end at. O_CLOEXEC is added.
 */
export function openWithin(directory: number, path: Uint8Array | string, flags: number, resolve: number): number {
  const how = Buffer.alloc(24);
  how.writeBigUInt64LE(BigInt(flags | O_CLOEXEC), 0);
  how.writeBigUInt64LE(BigInt(resolve), 16);
  for (let attempt = 0; ; attempt += 1) {
    const result = trySyscall("openat2", directory, cString(path), how, how.length);
    if (result >= 0) return result;
    // somebody renamed directories while the kernel walked: it cannot tell whether the walk stayed inside
    if (errnoName(-result) !== "EAGAIN" || attempt === 100) throw systemError("openat2", path, -result);
  }
}
