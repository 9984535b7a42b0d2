import type { DiffId } from "../base/digest.ts";
import { BuildError } from "../base/errors.ts";
import type { ContainerConfig, HistoryRow, ImageConfig } from "./image-config.ts";
import type { Platform } from "./platform.ts";
import { formatTimestamp } from "./timestamp.ts";

/** A history row without what only the build finds out. */
export type HistoryPart =
  | { readonly kind: "base"; readonly row: HistoryRow }
  | { readonly kind: "layer"; readonly createdBy: string; readonly comment: string }
  | { readonly kind: "empty"; readonly createdBy: string; readonly comment: string };

/** Everything an image config is made of. */
export interface ImageParts {
  readonly platform: Platform;
  readonly config: ContainerConfig;
  readonly author: string;
  /** Rows of the base image come first. */
  readonly history: readonly HistoryPart[];
  /** Layers of the base image, then one for each row of kind "layer", lowest first. */
  readonly layers: readonly { readonly diffId: DiffId; readonly createdAtMs: number }[];
  /** SOURCE_DATE_EPOCH in seconds: the time of every new row; null for none. */
  readonly epoch: number | null;
}

/**
 * The config of a finished image. Without an epoch a layer's row gets the time the layer was made; a row without a layer
 * that of the layer before it, of the first new layer when it precedes that, or of the base when there is no new layer:
 * building again from the cache gives the same bytes. Base rows are kept. Throws INTERNAL when rows and layers do not
 * pair.
 */
export function assembleImage(parts: ImageParts): ImageConfig {
  const base = parts.history.flatMap((part) => (part.kind === "base" ? [part.row] : []));
  const fresh = parts.history.filter((part) => part.kind !== "base");
  const newLayers = fresh.filter((part) => part.kind === "layer").length;
  const baseLayers = parts.layers.length - newLayers;
  if (baseLayers < 0) {
    throw new BuildError(
      "INTERNAL",
      `image history: got ${newLayers} rows with a layer, want at most ${parts.layers.length}`,
    );
  }
  const baseRows = pairHistory(base, baseLayers);
  const history = [...baseRows, ...timeNewRows(fresh, parts, baseLayers, lastTime(baseRows))];
  return {
    platform: parts.platform,
    author: parts.author,
    created: lastTime(history),
    config: parts.config,
    history,
    diffIds: parts.layers.map((layer) => layer.diffId),
  };
}

/**
 * History rows that pair with `layerCount` layers. Images with too many or too few rows exist; whoever adds a layer must
 * make them pair, since readers count rows.
 */
export function pairHistory(rows: readonly HistoryRow[], layerCount: number): readonly HistoryRow[] {
  let left = layerCount;
  const paired = rows.map((row) => {
    if (row.emptyLayer) return row;
    left -= 1;
    return left < 0 ? { ...row, emptyLayer: true } : row;
  });
  const missing = {
    created: null,
    createdBy: "",
    author: "",
    comment: "layer of the base image without history",
    emptyLayer: false,
  };
  return [...paired, ...Array.from({ length: Math.max(0, left) }, () => missing)];
}

function timeNewRows(
  fresh: readonly Exclude<HistoryPart, { kind: "base" }>[],
  parts: ImageParts,
  baseLayers: number,
  baseTime: string | null,
): readonly HistoryRow[] {
  const epochMs = parts.epoch === null ? null : parts.epoch * 1000;
  const times = parts.layers.slice(baseLayers).map((layer) => formatTimestamp(epochMs ?? layer.createdAtMs));
  let time = times[0] ?? (epochMs === null ? baseTime : formatTimestamp(epochMs));
  let next = 0;
  return fresh.map((part) => {
    const isLayer = part.kind === "layer";
    if (isLayer) {
      time = times[next] ?? time;
      next += 1;
    }
    return { created: time, createdBy: part.createdBy, author: "", comment: part.comment, emptyLayer: !isLayer };
  });
}

const lastTime = (rows: readonly HistoryRow[]): string | null =>
  rows.findLast((row) => row.created !== null)?.created ?? null;
