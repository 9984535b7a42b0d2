import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { LayersSpec } from "../../../../src/context/tree-spec.ts";
import type { LayerRow } from "../../../../src/layer/entry.ts";
import { readLayerIndex } from "../../../../src/layer/layer-index.ts";
import type { LayerLocation } from "../../../../src/layer/layer-location.ts";
import { type PackedAction, packCopy } from "../../../../src/steps/copy/pack-copy.ts";
import type { PackedPathsAction } from "../../../../src/steps/copy/packed-action.ts";
import { type LayerItem, makeLayer } from "../../../support/layer-builder.ts";

export const nowSeconds = 1_900_000_000;

/** An action on the source tree; what is not said is what a plain COPY has. */
export type ItemsAction = Partial<Omit<PackedPathsAction, "kind" | "tree">> & {
  readonly inline?: { readonly name: string; readonly content: string };
};

export interface PackedItems {
  /** Rows as text: type, mode, owner, mtime, path, target. */
  readonly lines: readonly string[];
  readonly rows: readonly LayerRow[];
  readonly location: LayerLocation;
  contentOf(path: string): string;
}

/** Packs `actions` from a tree with the items `source` on top of layers with the items `parent`; all lie below `root`. */
export async function packItems(
  root: string,
  source: readonly LayerItem[],
  parent: readonly (readonly LayerItem[])[],
  actions: readonly ItemsAction[],
): Promise<PackedItems> {
  const tree: LayersSpec = { kind: "layers", layers: [makeLayer(join(root, "source"), source)] };
  const layers = parent.map((items, at) => makeLayer(join(root, `parent-${at}`), items));
  const workDirectory = join(root, "work");
  mkdirSync(workDirectory);
  const { layer } = await packCopy({
    actions: actions.map((action) => packedAction(action, tree)),
    parent: layers.length === 0 ? null : { kind: "layers", layers },
    workDirectory,
    nowSeconds,
  });
  const location = {
    diffId: layer.diffId,
    indexFile: join(workDirectory, "index"),
    tarFile: join(workDirectory, "tar"),
    directory: null,
  };
  const rows = [...readLayerIndex(location.indexFile)];
  return {
    lines: rows.map(lineOf),
    rows,
    location,
    contentOf(path) {
      const row = rows.find((candidate) => candidate.path === path);
      const offset = row?.offset ?? 0;
      return readFileSync(location.tarFile).toString("utf8", offset, offset + (row?.size ?? 0));
    },
  };
}

function packedAction(action: ItemsAction, tree: LayersSpec): PackedAction {
  const { inline, destination = "/dst/", chown = null, chmod = null, ...rest } = action;
  if (inline !== undefined) return { kind: "inline", ...inline, destination, chown, chmod };
  const { paths = ["."], parents = false, excludes = [], unpack = "never" } = rest;
  return { kind: "paths", tree, paths, destination, chown, chmod, parents, excludes, unpack };
}

function lineOf(row: LayerRow): string {
  if (row.type === "whiteout") return `whiteout ${row.path}`;
  const mtime = row.mtimeSeconds === nowSeconds ? "now" : String(row.mtimeSeconds);
  const line = `${row.type} ${row.mode.toString(8)} ${row.uid}:${row.gid} ${mtime} ${row.path}`;
  return row.target === null ? line : `${line} -> ${row.target}`;
}
