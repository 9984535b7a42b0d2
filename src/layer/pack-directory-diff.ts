import { type BigIntStats, lstatSync, readdirSync, readlinkSync, rmdirSync, unlinkSync } from "node:fs";
import { BuildError } from "../base/errors.ts";
import { compareNames, decodeName, encodeName } from "../base/file-name.ts";
import { defineTask } from "../base/task.ts";
import { setTimes } from "../sys/files.ts";
import { getXattr, listXattrs } from "../sys/xattr.ts";
import type { OverlayXattrs } from "./directory-writer.ts";
import type { Entry, EntryType } from "./entry.ts";
import { digestOfContent, openRegularFile } from "./file-readers.ts";
import type { FileReader, FileTree } from "./file-tree.ts";
import { fsCall } from "./fs-call.ts";
import { markRow } from "./index-line.ts";
import { readLayerIndex } from "./layer-index.ts";
import type { ReadLayerIndex } from "./layer-indexes.ts";
import type { LayerLocation } from "./layer-location.ts";
import { type LayerWriter, type NewRow, openLayerWriter, type PackedLayer } from "./layer-writer.ts";
import { childPath } from "./path-order.ts";
import { openRootfsView } from "./rootfs-view.ts";

export interface PackDiffInput {
  /** Upper directory of an overlay nobody writes to any more. */
  readonly upper: string;
  /** What the overlay was mounted on, lowest first. */
  readonly lower: readonly LayerLocation[];
  /** Existing directory where `index`, and `tar` if it is kept, are written. */
  readonly into: string;
  readonly keepTar: boolean;
  readonly overlayXattrs: OverlayXattrs;
}

export const packDirectoryDiffTask = defineTask<PackDiffInput, PackedLayer>("layer.packDiff");

/**
 * Packs what an overlay's upper directory changes in the layers below it, as BuildKit does: every changed entry behind
 * its ancestors; a whiteout for each name that is gone; an opaque directory as its content and a whiteout for each name
 * it hides; nothing for what is as it was below, nor for a directory of which only the time changed. Sockets are left
 * out, of extended attributes only security.capability is kept, times are cut to seconds. What is no part of the layer is
 * removed from the upper directory, which then shows the same on whatever it is mounted.
 * Throws RUNTIME_SETUP_FAILED when the overlay was mounted with redirect_dir or metacopy.
 */
export function packDirectoryDiff(input: PackDiffInput, readIndex: ReadLayerIndex = readLayerIndex): PackedLayer {
  const writer = openLayerWriter(input.into, { keepTar: input.keepTar });
  try {
    new DiffWalk(input, openRootfsView(input.lower, readIndex), writer).walk();
    return writer.finish();
  } catch (error) {
    writer.abandon();
    throw error;
  }
}

const fileTypeMask = 0o170000;
const fileTypes: ReadonlyMap<number, EntryType> = new Map([
  [0o100000, "file"],
  [0o040000, "directory"],
  [0o120000, "symlink"],
  [0o020000, "char"],
  [0o060000, "block"],
  [0o010000, "fifo"],
]);
const capability = "security.capability";

/** An entry of the upper directory. */
interface Found {
  readonly row: NewRow;
  readonly host: Buffer;
  readonly stat: BigIntStats;
  readonly isOpaque: boolean;
}

class DiffWalk {
  readonly #writer: LayerWriter;
  readonly #lower: FileTree;
  readonly #upper: Buffer;
  readonly #overlayPrefix: string;
  /** Ancestors that are not written yet, outermost first. */
  readonly #pending: NewRow[] = [];
  /** Where a file with several names was written, by inode number. */
  readonly #written = new Map<bigint, string>();

  constructor(input: PackDiffInput, lower: FileTree, writer: LayerWriter) {
    this.#writer = writer;
    this.#lower = lower;
    this.#upper = Buffer.from(`${input.upper}/`);
    this.#overlayPrefix = `${input.overlayXattrs}.overlay.`;
  }

  walk(): void {
    this.#directory("", true, this.#isOpaque(this.#upper, listXattrs(this.#upper)));
  }

  /**
   * `wasDirectory`: the lower layers have it. What is missing of its content is deleted if the directory hides it.
   * Returns whether something was removed from the upper directory.
   */
  #directory(path: string, wasDirectory: boolean, isOpaque: boolean): boolean {
    const names = fsCall(() => readdirSync(this.#host(path), { encoding: "buffer" }));
    const here = new Set(names.map((name) => childPath(path, decodeName(name))));
    // only a directory that hides what is below must know all of it: that grows with the layers
    const below = wasDirectory && isOpaque ? this.#lower.list(path).map((entry) => entry.path) : [];
    const hidden = below.filter((child) => !here.has(child));
    let isChanged = false;
    for (const child of [...here, ...hidden].sort(compareNames)) {
      if (!here.has(child)) {
        this.#emit(markRow(child, "whiteout"), null);
      } else if (!this.#entry(child, wasDirectory ? this.#lower.lstat(child) : null, isOpaque)) {
        isChanged = true;
      }
    }
    return isChanged;
  }

  /** Returns whether the entry is part of the layer; otherwise it is gone. */
  #entry(path: string, lower: Entry | null, isInOpaque: boolean): boolean {
    const host = this.#host(path);
    const stat = fsCall(() => lstatSync(host, { bigint: true }));
    const type = fileTypes.get(Number(stat.mode) & fileTypeMask);
    const leaveOut = (): false => {
      fsCall(() => unlinkSync(host));
      return false;
    };
    if (type === undefined) return leaveOut();
    if (type === "char" && stat.rdev === 0n) {
      if (lower === null) return leaveOut();
      this.#emit(markRow(path, "whiteout"), null);
      return true;
    }
    const xattrs = listXattrs(host);
    const found = { row: rowOf(path, type, stat, host, xattrs), host, stat, isOpaque: this.#isOpaque(host, xattrs) };
    if (type === "directory") return this.#enter(found, lower, isInOpaque);
    if (lower !== null && this.#isUnchanged(found, lower)) return leaveOut();
    this.#add(found);
    return true;
  }

  #enter({ row, host, isOpaque }: Found, lower: Entry | null, isInOpaque: boolean): boolean {
    const wasDirectory = lower?.type === "directory";
    this.#pending.push(row);
    if (!wasDirectory || !hasSameAttributes(row, lower)) this.#writePending();
    const isChanged = this.#directory(row.path, wasDirectory, isOpaque || isInOpaque);
    if (this.#pending.at(-1) === row) {
      this.#pending.pop();
      fsCall(() => rmdirSync(host));
      return false;
    }
    if (isChanged) setTimes(host, row.mtimeSeconds, row.mtimeNanos);
    return true;
  }

  #add({ row, host, stat }: Found): void {
    const first = stat.nlink > 1n ? this.#written.get(stat.ino) : undefined;
    if (first !== undefined) {
      this.#emit({ ...row, type: "hardlink", size: 0, target: first, device: null }, null);
      return;
    }
    if (stat.nlink > 1n) this.#written.set(stat.ino, row.path);
    this.#emit(row, row.type === "file" ? openRegularFile(host, row.size) : null);
  }

  /**
   * A copy that overlayfs made has the time of the lower file, which has whole seconds if it was unpacked from a tar. The
   * content is read in any case: a file can be replaced by another one of the same tick of the clock.
   */
  #isUnchanged({ row, host }: Found, lower: Entry): boolean {
    if (lower.type !== row.type || !hasSameAttributes(row, lower)) return false;
    if (row.size !== lower.size || row.target !== lower.target || row.mtimeSeconds !== lower.mtimeSeconds) return false;
    if (row.mtimeNanos !== 0 && row.mtimeNanos !== lower.mtimeNanos) return false;
    return row.type !== "file" || digestOfContent(openRegularFile(host, row.size)) === this.#lower.digest(lower);
  }

  #emit(row: NewRow, content: FileReader | null): void {
    this.#writePending();
    this.#writer.add(row, content);
  }

  #writePending(): void {
    for (const ancestor of this.#pending.splice(0)) this.#writer.add(ancestor, null);
  }

  #isOpaque(host: Buffer, xattrs: readonly string[]): boolean {
    for (const feature of ["redirect", "metacopy"]) {
      if (!xattrs.includes(this.#overlayPrefix + feature)) continue;
      throw new BuildError(
        "RUNTIME_SETUP_FAILED",
        `overlay left ${JSON.stringify(decodeName(host))} as a mere reference to a lower layer (${feature})`,
        { hint: "mount it with redirect_dir=off,metacopy=off" },
      );
    }
    const opaque = `${this.#overlayPrefix}opaque`;
    return xattrs.includes(opaque) && getXattr(host, opaque)?.toString() === "y";
  }

  #host(path: string): Buffer {
    return Buffer.concat([this.#upper, encodeName(path)]);
  }
}

function rowOf(path: string, type: EntryType, stat: BigIntStats, host: Buffer, xattrs: readonly string[]): NewRow {
  const value = xattrs.includes(capability) ? getXattr(host, capability) : null;
  const nanos = ((stat.mtimeNs % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  return {
    path,
    type,
    mode: Number(stat.mode) & 0o7777,
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    mtimeSeconds: Number((stat.mtimeNs - nanos) / 1_000_000_000n),
    mtimeNanos: Number(nanos),
    xattrs: value === null ? null : { [capability]: value.toString("base64") },
    size: type === "file" ? Number(stat.size) : 0,
    target: type === "symlink" ? decodeName(fsCall(() => readlinkSync(host, { encoding: "buffer" }))) : null,
    device: type === "char" || type === "block" ? deviceOf(stat.rdev) : null,
  };
}

/** Linux's dev_t as lstat gives it (glibc, gnu_dev_major and gnu_dev_minor). */
function deviceOf(rdev: bigint): { readonly major: number; readonly minor: number } {
  return {
    major: Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & ~0xfffn)),
    minor: Number((rdev & 0xffn) | ((rdev >> 12n) & 0xffff_ff00n)),
  };
}

function hasSameAttributes(row: NewRow, lower: Entry): boolean {
  return (
    row.mode === lower.mode &&
    row.uid === lower.uid &&
    row.gid === lower.gid &&
    row.device?.major === lower.device?.major &&
    row.device?.minor === lower.device?.minor &&
    row.xattrs?.[capability] === lower.xattrs?.[capability]
  );
}
