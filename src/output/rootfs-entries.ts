import { BuildError } from "../base/errors.ts";
import { formatPlatform, type Platform } from "../image/platform.ts";
import type { TarEntry } from "../layer/encode-tar.ts";
import { flattenTree } from "../layer/flatten-tree.ts";
import type { LayerLocation } from "../layer/layer-location.ts";
import { childPath } from "../layer/path-order.ts";
import { openRootfsView } from "../layer/rootfs-view.ts";
import type { LayerStore } from "../store/layer-store.ts";
import type { PlatformImage } from "./output.ts";
import { verifiedReader } from "./verified-reader.ts";

/** A root file system to be written out: a stack of layers, lowest first. Plain data. */
export interface RootfsSpec {
  /** Folder it is put into; "" for none. */
  readonly folder: string;
  /** What of it is written: a path without links in it; "" for everything. */
  readonly path: string;
  readonly layers: readonly LayerLocation[];
  /** The time of all files, in seconds since 1970; null: each keeps its own. */
  readonly epoch: number | null;
}

/**
 * Everything at a path of a root file system, under the paths it is written to, each directory before its content; the
 * folder itself too. What is no directory becomes a file called as the folder. Contents are verified while they are read.
 */
export function* rootfsEntries({ folder, path, layers, epoch }: RootfsSpec): Generator<TarEntry, void> {
  const tree = openRootfsView(layers);
  const times = epoch === null ? {} : { mtimeSeconds: epoch, mtimeNanos: 0 };
  const root = tree.lstat(path);
  if (folder !== "" && root !== null)
    yield { row: { ...root, ...times, path: folder }, open: () => verifiedReader(tree.open(root), path) };
  const placeOf = (inRoot: string): string => childPath(folder, path === "" ? inRoot : inRoot.slice(path.length + 1));
  for (const { row, open } of flattenTree(tree, path)) {
    const target = row.type === "hardlink" ? placeOf(row.target ?? "") : row.target;
    yield {
      row: { ...row, ...times, path: placeOf(row.path), target },
      open: () => verifiedReader(open(), row.path),
    };
  }
}

/**
 * What to write for each image. Every platform gets a folder of its own if `splitPlatforms` says so, or if there are
 * several and it is null. Layers are fetched if needed. Throws EXPORT_UNSUPPORTED for several platforms in one folder.
 */
export async function rootfsSpecsOf(
  images: readonly PlatformImage[],
  splitPlatforms: boolean | null,
  epoch: number | null,
  layers: LayerStore,
  signal: AbortSignal,
): Promise<readonly RootfsSpec[]> {
  if (splitPlatforms === false && images.length > 1)
    throw new BuildError("EXPORT_UNSUPPORTED", `output: ${images.length} platforms do not fit into one root`, {
      hint: "leave out platform-split=false, or build one platform",
    });
  const split = splitPlatforms ?? images.length > 1;
  return Promise.all(
    images.map(async ({ platform, diffIds }) => ({
      folder: split ? platformFolder(platform) : "",
      path: "",
      layers: await Promise.all(diffIds.map((diffId) => layers.readable(diffId, signal))),
      epoch,
    })),
  );
}

/** Folder of a platform where several share a destination: `linux_arm64`. */
const platformFolder = (platform: Platform): string => formatPlatform(platform).replaceAll("/", "_");
