import { chmodSync, lchownSync, lstatSync, mkdirSync, readdirSync, renameSync, type Stats } from "node:fs";
import { defineTask } from "../base/task.ts";
import { isMissing } from "../store/storage-error.ts";
import { setTimes } from "../sys/files.ts";

export interface MergeDirectoryInput {
  /** Directory whose content is moved; its directories may stay behind, empty. */
  readonly from: string;
  /** Existing directory on the same file system. */
  readonly into: string;
  /** New directory on the same file system that what is in the way is moved to. */
  readonly replaced: string;
}

export const mergeDirectoryTask = defineTask<MergeDirectoryInput, null>("output.mergeDirectory");

/**
 * Moves what is in `from` into `into`. Directories on both sides are merged and get the mode, owner and time of
 * `from`'s; everything else that is in the way is replaced, symlinks too: none of them is followed.
 */
export function mergeDirectory({ from, into, replaced }: MergeDirectoryInput): null {
  mkdirSync(replaced, { mode: 0o700 });
  const isRoot = process.geteuid?.() === 0;
  let aside = 0;
  const merge = (source: Buffer, target: Buffer): void => {
    for (const name of readdirSync(source, { encoding: "buffer" })) {
      const [moved, place] = [child(source, name), child(target, name)];
      const there = lstatOrNull(place);
      const coming = lstatSync(moved);
      if (there?.isDirectory() && coming.isDirectory()) {
        if (!isRoot) chmodSync(moved, 0o700);
        merge(moved, place);
        takeOverMetadata(place, coming);
        continue;
      }
      if (there !== null) renameSync(place, child(Buffer.from(replaced), Buffer.from(String(aside++))));
      moveEntry(moved, place, coming);
    }
  };
  merge(Buffer.from(from), Buffer.from(into));
  return null;
}

/** A directory without write permission can only be moved by root: its ".." changes. */
function moveEntry(from: Buffer, to: Buffer, stats: Stats): void {
  const mode = stats.mode & 0o7777;
  const isInTheWay = stats.isDirectory() && process.geteuid?.() !== 0 && (mode & 0o200) === 0;
  if (isInTheWay) chmodSync(from, mode | 0o200);
  renameSync(from, to);
  if (isInTheWay) chmodSync(to, mode);
}

function takeOverMetadata(path: Buffer, from: Stats): void {
  if (process.geteuid?.() === 0) lchownSync(path, from.uid, from.gid);
  chmodSync(path, from.mode & 0o7777);
  setTimes(path, Math.floor(from.mtimeMs / 1000), 0);
}

const child = (directory: Buffer, name: Buffer): Buffer => Buffer.concat([directory, Buffer.from("/"), name]);

function lstatOrNull(path: Buffer): Stats | null {
  try {
    return lstatSync(path);
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}
