import { chownSync, lstatSync, mkdirSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { makeNode } from "../../sys/files.ts";

/** A device node of the host. */
export interface HostDevice {
  readonly path: string;
  readonly type: "char" | "block";
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly major: number;
  readonly minor: number;
}

/** Directories of /dev that every sandbox has of its own. */
const own = new Set(["/dev/pts", "/dev/shm", "/dev/mqueue"]);

/** All device nodes below a directory of the host. */
export function findHostDevices(directory = "/dev"): readonly HostDevice[] {
  if (own.has(directory)) return [];
  return readdirSync(directory).flatMap((name): readonly HostDevice[] => {
    const path = join(directory, name);
    const status = lstatSync(path, { throwIfNoEntry: false });
    if (status === undefined) return [];
    if (status.isDirectory()) return findHostDevices(path);
    if (!status.isCharacterDevice() && !status.isBlockDevice()) return [];
    const { uid, gid, rdev } = status;
    const type = status.isBlockDevice() ? "block" : "char";
    const major = Math.floor(rdev / 256) & 0xfff;
    const minor = (rdev & 0xff) | ((rdev >>> 12) & 0xfff00);
    return [{ path, type, mode: status.mode & 0o7777, uid, gid, major, minor }];
  });
}

/** Makes the same nodes in the /dev of this process; those that are there already stay as they are. */
export function makeHostDevices(devices: readonly HostDevice[]): void {
  for (const { path, type, mode, uid, gid, major, minor } of devices) {
    if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) continue;
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    makeNode(Buffer.from(path), type, mode, major, minor);
    chownSync(path, uid, gid);
  }
}
