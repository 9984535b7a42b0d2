import type { DiffId } from "../base/digest.ts";
import { pairHistory } from "./assemble-image.ts";
import type { HistoryRow, ImageConfig } from "./image-config.ts";

/**
 * The config of an image whose layers from number `keptLayers` on became the one layer `merged`. The rows of these layers
 * stay, as rows without a layer, and a last row tells what happened. Nothing else changes, not even the time, and the row
 * does not name the image: wherever the layers become the same, the config does.
 */
export function squashConfig(image: ImageConfig, keptLayers: number, merged: DiffId): ImageConfig {
  let layer = 0;
  const history = pairHistory(image.history, image.diffIds.length).map((row): HistoryRow => {
    if (row.emptyLayer) return row;
    layer += 1;
    return { ...row, emptyLayer: layer > keptLayers };
  });
  const top = image.diffIds[keptLayers - 1];
  const count = image.diffIds.length - keptLayers;
  const comment = `${count} layers merged${top === undefined ? "" : ` on top of ${top}`}`;
  return {
    ...image,
    history: [...history, { created: image.created, createdBy: "", author: "", comment, emptyLayer: false }],
    diffIds: [...image.diffIds.slice(0, keptLayers), merged],
  };
}
