import { chmodSync, lchownSync, lstatSync, mkdirSync, readdirSync, renameSync, type Stats } from "node:fs";
import { BuildError } from "../base/errors.ts";
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
  /** Directories on both sides get the owner of `from`'s, which only root can do. */
  readonly keepsOwners: boolean;
  /** Throw EXPORT_DESTINATION_INVALID, before anything is moved, where one side has a directory and the other has none. */
  readonly keepsKinds: boolean;
}

export const mergeDirectoryTask = defineTask<MergeDirectoryInput, null>("output.mergeDirectory");

/**
 * Moves what is in `from` into `into`. Directories on both sides are merged and get the mode and time of
 * `from`'s; everything else that is in the way is replaced, symlinks too: none of them is followed.
 */
export function mergeDirectory({ from, into, replaced, keepsOwners, keepsKinds }: MergeDirectoryInput): null {
  if (keepsKinds) checkKinds(Buffer.from(from), Buffer.from(into));
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
        takeOverMetadata(place, coming, keepsOwners);
        continue;
      }
      if (there !== null) renameSync(place, child(Buffer.from(replaced), Buffer.from(String(aside++))));
      moveEntry(moved, place, coming);
    }
  };
  merge(Buffer.from(from), Buffer.from(into));
  return null;
}

function checkKinds(source: Buffer, target: Buffer): void {
  for (const name of readdirSync(source, { encoding: "buffer" })) {
    const [coming, place] = [child(source, name), child(target, name)];
    const there = lstatOrNull(place);
    if (there === null) continue;
    const isDirectory = lstatSync(coming).isDirectory();
    if (there.isDirectory() !== isDirectory) {
      const [got, want] = isDirectory ? ["a directory", "something else"] : ["no directory", "a directory"];
      throw new BuildError(
        "EXPORT_DESTINATION_INVALID",
        `output ${JSON.stringify(place.toString())}: what comes is ${got}, what is there is ${want}`,
        { hint: "remove what is there, or choose another destination" },
      );
    }
    if (isDirectory) checkKinds(coming, place);
  }
}

/** A directory without write permission can only be moved by root: its ".." changes. */
function moveEntry(from: Buffer, to: Buffer, stats: Stats): void {
  const mode = stats.mode & 0o7777;
  const isInTheWay = stats.isDirectory() && process.geteuid?.() !== 0 && (mode & 0o200) === 0;
  if (isInTheWay) chmodSync(from, mode | 0o200);
  renameSync(from, to);
  if (isInTheWay) chmodSync(to, mode);
}

function takeOverMetadata(path: Buffer, from: Stats, keepsOwners: boolean): void {
  if (keepsOwners) lchownSync(path, from.uid, from.gid);
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
