import { BuildError } from "../base/errors.ts";
import { compareNames } from "../base/file-name.ts";
import type { LayerRow } from "./entry.ts";
import type { LayerIndex } from "./layer-index.ts";
import { baseNameOf } from "./path-order.ts";

/** The rows of one layer that lie inside a directory: `start` to before `end`. */
export interface Slice {
  readonly layer: number;
  readonly start: number;
  readonly end: number;
}

/** A place where a layer may say something about a path: `at` is the first row that is it or lies in it. */
export interface Candidate {
  readonly layer: number;
  readonly at: number;
  readonly end: number;
}

/** What a stack of layers makes of a path. */
export interface StackNode {
  /** The row it shows, and its layer; null for a directory no layer has a row for. A whiteout: nothing is there. */
  readonly row: LayerRow | null;
  readonly layer: number;
  /** For a directory: its content, topmost layer first; null for everything else. */
  readonly slices: readonly Slice[] | null;
  /**
   * What this hides of layers below the stack: of a directory there nothing, the content, or also that it was there, so
   * that a directory without a row is a new one.
   */
  readonly hides: "nothing" | "content" | "everything";
}

/** Merges the indexes of a stack of layers, lowest first, path by path; every layer is known by its number. */
export class LayerStack {
  readonly #indexes: readonly LayerIndex[];
  /** The root is always a directory: of its own rows only the opaque mark counts. */
  readonly root: StackNode;

  constructor(indexes: readonly LayerIndex[]) {
    this.#indexes = indexes;
    const slices: Slice[] = [];
    let isOpaque = false;
    for (let layer = indexes.length - 1; layer >= 0 && !isOpaque; layer--) {
      const index = indexes[layer] as LayerIndex;
      let start = 0;
      for (; start < index.rowCount && index.row(start).path === ""; start++)
        isOpaque ||= index.row(start).type === "opaque";
      slices.push({ layer, start, end: index.rowCount });
    }
    this.root = { row: null, layer: -1, slices, hides: isOpaque ? "content" : "nothing" };
  }

  index(layer: number): LayerIndex {
    return this.#indexes[layer] as LayerIndex;
  }

  /** What the layers make of `path`, which lies directly in `directory`; null when none of them says anything. */
  find(path: string, directory: StackNode): StackNode | null {
    const candidates = (directory.slices ?? []).map(({ layer, start, end }) => {
      return { layer, at: this.index(layer).search(path, start, end), end };
    });
    return this.#merge(path, candidates);
  }

  /** What lies directly in the directory `path`, sorted by name, whiteouts as well. */
  *children(path: string, directory: StackNode): Generator<readonly [string, StackNode], void> {
    const slices = directory.slices ?? [];
    const children = new Map<string, Candidate[]>();
    for (const slice of slices) this.#collectChildren(path, slice, children);
    const paths = [...children.keys()];
    if (slices.length > 1) paths.sort((a, b) => compareNames(baseNameOf(a), baseNameOf(b)));
    for (const child of paths) {
      const node = this.#merge(child, children.get(child) ?? []);
      if (node !== null) yield [child, node];
    }
  }

  /** The row that has the metadata of `node`: for a hard link that of the file it is a name of. */
  shownRow(node: StackNode): LayerRow | null {
    if (node.row?.type !== "hardlink") return node.row;
    const target = this.index(node.layer).lookup(node.row.target as string);
    if (target === null || target.type === "hardlink" || target.type === "directory" || target.type === "whiteout") {
      throw new BuildError("LAYER_MALFORMED", `hard link ${JSON.stringify(node.row.path)} names nothing of its layer`);
    }
    return target;
  }

  /** What the layers, topmost first, make of `path`. */
  #merge(path: string, candidates: readonly Candidate[]): StackNode | null {
    const inside = `${path}/`;
    const slices: Slice[] = [];
    let shown: { readonly row: LayerRow; readonly layer: number } | null = null;
    let hides: StackNode["hides"] = "nothing";
    for (const { layer, at, end } of candidates) {
      const index = this.index(layer);
      let next = at;
      let row: LayerRow | null = null;
      let isOpaque = false;
      for (; next < end && index.row(next).path === path; next++) {
        const found = index.row(next);
        if (found.type === "opaque") isOpaque = true;
        else row = found;
      }
      const hasContent = next < end && index.row(next).path.startsWith(inside);
      const isDirectory = row?.type === "directory" || hasContent || (row === null && isOpaque);
      if (!isDirectory) {
        if (row === null) continue;
        if (slices.length === 0) return { row, layer, slices: null, hides: "everything" };
        hides = "everything";
        break;
      }
      if (hides === "nothing")
        slices.push({ layer, start: next, end: hasContent ? index.endOfTree(path, next, end) : next });
      if (row?.type === "directory" && shown === null) shown = { row, layer };
      if (row?.type === "whiteout") hides = "everything";
      else if (isOpaque && hides === "nothing") hides = "content";
      // Below an opaque mark without a directory row only the directory itself still shows.
      if (hides === "everything" || (hides === "content" && shown !== null)) break;
    }
    return slices.length === 0 ? null : { row: shown?.row ?? null, layer: shown?.layer ?? -1, slices, hides };
  }

  #collectChildren(directory: string, slice: Slice, children: Map<string, Candidate[]>): void {
    const index = this.index(slice.layer);
    const nameAt = directory === "" ? 0 : directory.length + 1;
    for (let at = slice.start; at < slice.end; ) {
      const path = index.row(at).path;
      const slashAt = path.indexOf("/", nameAt);
      const child = slashAt < 0 ? path : path.slice(0, slashAt);
      const end = index.endOfTree(child, at, slice.end);
      const candidate = { layer: slice.layer, at, end };
      const others = children.get(child);
      if (others === undefined) children.set(child, [candidate]);
      else others.push(candidate);
      at = end;
    }
  }
}
