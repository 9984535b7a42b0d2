import { defineTask } from "../base/task.ts";
import type { LayerRow } from "./entry.ts";
import type { FileTree } from "./file-tree.ts";
import { markRow } from "./index-line.ts";
import { readLayerIndex } from "./layer-index.ts";
import type { LayerLocation } from "./layer-location.ts";
import { LayerStack, type StackNode } from "./layer-stack.ts";
import { type NewRow, openLayerWriter, type PackedLayer } from "./layer-writer.ts";
import { openContent, openRootfsView } from "./rootfs-view.ts";

export interface SquashInput {
  /** The layers that become one, lowest first. */
  readonly merged: readonly LayerLocation[];
  /** What stays below them, lowest first; null when it makes no difference what that is (`needsLayersBelow`). */
  readonly below: readonly LayerLocation[] | null;
  /** Existing directory that gets `index` and `tar`. */
  readonly into: string;
}

export const squashLayersTask = defineTask<SquashInput, PackedLayer>("layer.squash");

export const needsLayersBelowTask = defineTask<readonly LayerLocation[], boolean>("layer.needsBelow");

/**
 * Makes one layer that does to the layers below what `merged` do one after the other. A file that `merged` have under
 * several names stays one file; deletions stay where there is something to delete. With nothing below, no deletion is
 * left, and every directory has a row. Throws BLOB_DIGEST_MISMATCH for content that is not what its layer says; what was
 * written then is worthless.
 */
export function squashLayers({ merged, below, into }: SquashInput): PackedLayer {
  const stack = stackOf(merged);
  const writer = openLayerWriter(into, { keepTar: true });
  try {
    for (const { row, source, layer } of squashedRows(stack, below === null ? "unknown" : openRootfsView(below))) {
      const content = row.type === "file" ? openContent(merged[layer] as LayerLocation, source) : null;
      writer.add(row, content);
    }
    return writer.finish();
  } catch (error) {
    writer.abandon();
    throw error;
  }
}

/** Whether what `merged` become depends on the layers below: whether there is something to delete. */
export function needsLayersBelow(merged: readonly LayerLocation[]): boolean {
  for (const { row } of squashedRows(stackOf(merged), "unknown"))
    if (row.type === "whiteout" || row.type === "opaque") return true;
  return false;
}

const stackOf = (layers: readonly LayerLocation[]): LayerStack =>
  new LayerStack(layers.map(({ indexFile }) => readLayerIndex(indexFile)));

/** A row of the squashed layer; the content of a file is that of row `source` of merged layer number `layer`. */
interface SquashedRow {
  readonly row: NewRow;
  readonly source: LayerRow;
  readonly layer: number;
}

/** The rows in order. With `below` "unknown" every deletion is kept. */
function* squashedRows(stack: LayerStack, below: FileTree | "unknown"): Generator<SquashedRow, void> {
  const isLowest = below !== "unknown" && below.list("").length === 0;
  const { root } = stack;
  const isRootOpaque = root.hides !== "nothing" && !isLowest;
  if (isRootOpaque) yield metadataOnly(markRow("", "opaque"));
  /** The first name a file with several got, by layer and the name it has there. */
  const firstNames = new Map<string, string>();
  /** Directories whose children are not used up, and whether nothing of the layers below shows in them; the deepest last. */
  const open = [{ children: stack.children("", root), isHiding: isLowest || isRootOpaque }];
  for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
    const next = top.children.next();
    if (next.done === true) {
      open.pop();
      continue;
    }
    const [path, node] = next.value;
    const source = stack.shownRow(node);
    if (node.slices !== null) {
      yield* directoryRows(path, node, top.isHiding, below);
      open.push({ children: stack.children(path, node), isHiding: top.isHiding || node.hides !== "nothing" });
    } else if (source?.type === "whiteout") {
      if (!top.isHiding && (below === "unknown" || below.lstat(path) !== null)) yield metadataOnly(source);
    } else if (source !== null) {
      yield fileRow(stack, path, source, node.layer, firstNames);
    }
  }
}

/** The directory and the mark that hides what a layer below has in it, each if it takes one. */
function* directoryRows(
  path: string,
  node: StackNode,
  isHidden: boolean,
  below: FileTree | "unknown",
): Generator<SquashedRow, void> {
  const isBelow = !isHidden && (below === "unknown" || below.lstat(path)?.type === "directory");
  // Without a row it looks as it does below, if it was not deleted in between.
  if (node.row !== null) yield metadataOnly(node.row);
  else if (!isBelow || node.hides === "everything") yield metadataOnly(impliedRow(path));
  if (isBelow && node.hides !== "nothing") yield metadataOnly(markRow(path, "opaque"));
}

/** `source` tells what the file at `path` is; the name it has there may be hidden by now. */
function fileRow(
  stack: LayerStack,
  path: string,
  source: LayerRow,
  layer: number,
  firstNames: Map<string, string>,
): SquashedRow {
  const isLinked = stack.index(layer).linkedNames(source.path) !== null;
  const file = `${layer}:${source.path}`;
  const first = isLinked ? firstNames.get(file) : undefined;
  if (first !== undefined)
    return metadataOnly({ ...source, path, type: "hardlink", target: first, size: 0, device: null });
  if (isLinked) firstNames.set(file, path);
  return { row: { ...source, path }, source, layer };
}

const metadataOnly = (row: LayerRow): SquashedRow => ({ row, source: row, layer: -1 });

const impliedRow = (path: string): LayerRow => ({ ...markRow(path, "opaque"), type: "directory", mode: 0o755 });
