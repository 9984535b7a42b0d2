import { defineTask } from "../base/task.ts";
import { DirectoryWriter, type OverlayXattrs } from "./directory-writer.ts";
import type { Entry, LayerRow } from "./entry.ts";
import { readLayerIndex } from "./layer-index.ts";
import type { ReadLayerIndex } from "./layer-indexes.ts";
import type { LayerLocation } from "./layer-location.ts";
import { parentOf } from "./path-order.ts";
import { openRootfsView } from "./rootfs-view.ts";

export interface ImpliedDirectoriesInput {
  /** Lowest first. */
  readonly layers: readonly LayerLocation[];
  /** Where to write; must not exist. */
  readonly directory: string;
  readonly overlayXattrs: OverlayXattrs;
}

export const makeImpliedDirectoriesTask = defineTask<ImpliedDirectoriesInput, boolean>("layer.makeImplied");

/**
 * Makes `directory` to be mounted on top of the directories of `layers`, if it takes one to show their merged tree. A
 * tar may hold `etc/app/conf` without `etc/app`, which then is whatever the lower layers have there; but unpacked into
 * a directory of its own it has an `etc/app` of 0755, and that is what overlayfs would show. False: nothing was made.
 */
export function makeImpliedDirectories(
  { layers, directory, overlayXattrs }: ImpliedDirectoriesInput,
  readIndex: ReadLayerIndex = readLayerIndex,
): boolean {
  const implied = layers.slice(1).flatMap(({ indexFile }) => readIndex(indexFile).impliedDirectories);
  if (implied.length === 0) return false;
  const tree = openRootfsView(layers, readIndex);
  const rows = new Map<string, LayerRow>();
  for (const path of implied) {
    const entry = tree.lstat(path);
    if (entry?.type !== "directory" || isAsUnpacked(entry)) continue;
    for (let at = path; at !== "" && !rows.has(at); at = parentOf(at)) {
      const found = tree.lstat(at);
      if (found !== null) rows.set(at, rowOf(found));
    }
  }
  if (rows.size === 0) return false;
  // A path is longer than that of the directory it lies in.
  const parentsFirst = [...rows.values()].sort((a, b) => a.path.length - b.path.length);
  const writer = new DirectoryWriter(directory, overlayXattrs);
  for (const { path } of parentsFirst) writer.madeDirectory(path);
  writer.finish(parentsFirst, []);
  return true;
}

/** Whether an implied directory looks like that without help. */
const isAsUnpacked = ({ mode, uid, gid, mtimeSeconds, mtimeNanos, xattrs }: Entry): boolean =>
  mode === 0o755 && uid === 0 && gid === 0 && mtimeSeconds === 0 && mtimeNanos === 0 && xattrs === null;

const rowOf = ({ path, mode, uid, gid, mtimeSeconds, mtimeNanos, xattrs }: Entry): LayerRow => ({
  path,
  type: "directory",
  mode,
  uid,
  gid,
  mtimeSeconds,
  mtimeNanos,
  xattrs,
  size: 0,
  target: null,
  device: null,
  digest: null,
  offset: null,
});
