import { BuildError } from "../base/errors.ts";
import { formatPlatform, type Platform } from "../image/platform.ts";
import type { Entry } from "../layer/entry.ts";
import type { FileTree } from "../layer/file-tree.ts";
import type { LayerLocation } from "../layer/layer-location.ts";
import { childPath } from "../layer/path-order.ts";
import type { LayerStore } from "../store/layer-store.ts";
import type { PlatformImage } from "./output.ts";

/** A root file system to be written out: a stack of layers, lowest first. Plain data. */
export interface RootfsSpec {
  /** Folder it is put into; "" for none. */
  readonly folder: string;
  readonly layers: readonly LayerLocation[];
}

/** What a walk meets: an entry, under the path it is written to. */
export interface WalkedEntry {
  readonly entry: Entry;
  readonly path: string;
  /** Path of an earlier file this one is a hard link to; null for the first name. */
  readonly linkTo: string | null;
}

/** Everything in `tree` but its root, sorted as layer rows are, each directory before its content. */
export function* walkTree(tree: FileTree, folder: string): Generator<WalkedEntry> {
  const firstNames = new Map<string, string>();
  const pending: Entry[] = [...tree.list("")].reverse();
  for (let entry = pending.pop(); entry !== undefined; entry = pending.pop()) {
    const path = childPath(folder, entry.path);
    const linkTo = entry.inode === null ? null : (firstNames.get(entry.inode) ?? null);
    if (entry.inode !== null && linkTo === null) firstNames.set(entry.inode, path);
    yield { entry, path, linkTo };
    if (entry.type === "directory") pending.push(...[...tree.list(entry.path)].reverse());
  }
}

/**
 * What to write for each image. Every platform gets a folder of its own if `splitPlatforms` says so, or if there are
 * several and it is null. Layers are fetched if needed. Throws EXPORT_UNSUPPORTED for several platforms in one folder.
 */
export async function rootfsSpecsOf(
  images: readonly PlatformImage[],
  splitPlatforms: boolean | null,
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
      layers: await Promise.all(diffIds.map((diffId) => layers.readable(diffId, signal))),
    })),
  );
}

/** Folder of a platform where several share a destination: `linux_arm64`. */
const platformFolder = (platform: Platform): string => formatPlatform(platform).replaceAll("/", "_");
