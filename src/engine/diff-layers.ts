import type { DiffId } from "../base/digest.ts";
import { pairHistory } from "../image/assemble-image.ts";
import { parseImageConfig } from "../image/config-json.ts";
import { compareTrees, type TreeChange } from "../layer/compare-trees.ts";
import { readLayerIndex } from "../layer/layer-index.ts";
import { openRootfsView } from "../layer/rootfs-view.ts";
import type { StoredPlatformImage } from "../store/image-store.ts";
import { type ImageWorkshop, takeOut } from "./image-workshop.ts";

/** What one layer changes about those below it. */
export interface LayerDiff {
  /** Counted from 1, the lowest. */
  readonly number: number;
  readonly diffId: DiffId;
  /** Of the tar. */
  readonly sizeBytes: number;
  /** The instruction that made it; "" when the image does not say. */
  readonly createdBy: string;
  readonly changes: Iterable<TreeChange>;
}

/** What each layer of an image changes, lowest first, without the lowest `skipped`; those are only read where they must be. */
export async function* diffLayers(
  image: StoredPlatformImage,
  skipped: number,
  { store, layers }: ImageWorkshop,
  signal: AbortSignal,
): AsyncGenerator<LayerDiff> {
  const { config: bytes } = await takeOut(store, image);
  const config = parseImageConfig(bytes);
  const rows = pairHistory(config.history, config.diffIds.length).filter(({ emptyLayer }) => !emptyLayer);
  const stack = await Promise.all(image.diffIds.map((diffId) => layers.readable(diffId, signal)));
  for (let at = skipped; at < stack.length; at++) {
    signal.throwIfAborted();
    const layer = stack[at];
    if (layer === undefined) return;
    const index = readLayerIndex(layer.indexFile);
    const says = (directory: string): boolean => {
      const found = index.search(directory);
      const path = found < index.rowCount ? index.row(found).path : null;
      return path === directory || path?.startsWith(`${directory}/`) === true;
    };
    const [below, above] = [openRootfsView(stack.slice(0, at)), openRootfsView(stack.slice(0, at + 1))];
    yield {
      number: at + 1,
      diffId: layer.diffId,
      sizeBytes: index.sizeBytes,
      createdBy: rows[at]?.createdBy ?? "",
      changes: compareTrees(below, above, says),
    };
  }
}
