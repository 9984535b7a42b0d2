import { join } from "node:path";
import type { Digest } from "../base/digest.ts";
import { BuildError } from "../base/errors.ts";
import { compareNames, encodeName } from "../base/file-name.ts";
import type { Entry, LayerRow } from "./entry.ts";
import { openRange, openRegularFile } from "./file-readers.ts";
import type { FileReader, FileTree } from "./file-tree.ts";
import { contentDigest, type LayerIndex, readLayerIndex } from "./layer-index.ts";
import type { LayerLocation } from "./layer-location.ts";
import { baseNameOf, parentOf } from "./path-order.ts";

/** The rows of one layer that lie inside a directory: `start` to before `end`. */
interface Slice {
  readonly layer: number;
  readonly start: number;
  readonly end: number;
}

/** What a path of the merged tree is made of. */
interface Node {
  /** The row it shows, and its layer; null for a directory no layer has a row for. */
  readonly row: LayerRow | null;
  readonly layer: number;
  /** For a directory: its content, topmost layer first; null for everything else. */
  readonly slices: readonly Slice[] | null;
}

/** A place where a layer may say something about a path: `at` is the first row that is it or lies in it. */
interface Candidate {
  readonly layer: number;
  readonly at: number;
  readonly end: number;
}

/**
 * The file system that a stack of layers (lowest first) makes, merged from their indexes as they are asked for: nothing
 * is mounted and no content is read. A directory that only exists because something lies in it is 0755 and root's.
 */
export function openRootfsView(layers: readonly LayerLocation[]): FileTree {
  return new RootfsView(layers);
}

class RootfsView implements FileTree {
  readonly #layers: readonly LayerLocation[];
  readonly #indexes: readonly LayerIndex[];
  /** By path; null for what is known to be no directory. */
  readonly #directories = new Map<string, Node | null>();

  constructor(layers: readonly LayerLocation[]) {
    this.#layers = layers;
    this.#indexes = layers.map((layer) => readLayerIndex(layer.indexFile));
    this.#directories.set("", { row: null, layer: -1, slices: rootSlices(this.#indexes) });
  }

  lstat(path: string): Entry | null {
    const node = this.#find(path);
    return node === null ? null : this.#entry(path, node);
  }

  list(path: string): readonly Entry[] {
    const slices = this.#directory(path)?.slices ?? [];
    const children = new Map<string, Candidate[]>();
    for (const slice of slices) this.#collectChildren(path, slice, children);
    const paths = [...children.keys()];
    if (slices.length > 1) paths.sort((a, b) => compareNames(baseNameOf(a), baseNameOf(b)));
    const entries: Entry[] = [];
    for (const child of paths) {
      const node = this.#merge(child, children.get(child) ?? []);
      if (node !== null) entries.push(this.#entry(child, node));
    }
    return entries;
  }

  open(entry: Entry): FileReader {
    const { row, layer } = this.#file(entry.path);
    if (row.size !== entry.size) {
      throw new BuildError(
        "CONTEXT_FILE_CHANGED",
        `${JSON.stringify(entry.path)}: got ${row.size} bytes, want ${entry.size}`,
      );
    }
    return openContent(this.#layers[layer] as LayerLocation, row);
  }

  /** Digests stand in the indexes. */
  noteDigest(): void {}

  digest(entry: Entry): Digest {
    return contentDigest(this.#file(entry.path).row);
  }

  #file(path: string): { readonly row: LayerRow; readonly layer: number } {
    const node = this.#find(path);
    const row = node === null ? null : this.#shownRow(node);
    if (node === null || row?.type !== "file") {
      throw new BuildError("CONTEXT_FILE_CHANGED", `${JSON.stringify(path)} is no regular file of this tree`);
    }
    return { row, layer: node.layer };
  }

  #find(path: string): Node | null {
    const known = this.#directories.get(path);
    if (known) return known;
    const parent = this.#directory(parentOf(path));
    if (parent?.slices === undefined || parent.slices === null) return null;
    const candidates = parent.slices.map(({ layer, start, end }) => {
      return { layer, at: this.#index(layer).search(path, start, end), end };
    });
    return this.#merge(path, candidates);
  }

  #directory(path: string): Node | null {
    const known = this.#directories.get(path);
    if (known !== undefined) return known;
    const found = this.#find(path);
    const directory = found?.slices === null ? null : found;
    this.#directories.set(path, directory);
    return directory;
  }

  /** What the layers, topmost first, make of `path`. */
  #merge(path: string, candidates: readonly Candidate[]): Node | null {
    const inside = `${path}/`;
    const slices: Slice[] = [];
    let shown: { readonly row: LayerRow; readonly layer: number } | null = null;
    let isOpaque = false;
    for (const { layer, at, end } of candidates) {
      const index = this.#index(layer);
      let next = at;
      let row: LayerRow | null = null;
      let hidesLower = false;
      for (; next < end && index.row(next).path === path; next++) {
        const found = index.row(next);
        if (found.type === "opaque") hidesLower = true;
        else row = found;
      }
      const hasContent = next < end && index.row(next).path.startsWith(inside);
      const isDirectory = row?.type === "directory" || hasContent || (row === null && hidesLower);
      if (!isDirectory) {
        if (row === null) continue;
        if (slices.length > 0 || row.type === "whiteout") break;
        return { row, layer, slices: null };
      }
      if (!isOpaque) slices.push({ layer, start: next, end: hasContent ? index.endOfTree(path, next, end) : next });
      if (row?.type === "directory" && shown === null) shown = { row, layer };
      isOpaque ||= hidesLower;
      // Below an opaque mark without a directory row only the directory itself still shows.
      if (row?.type === "whiteout" || (isOpaque && shown !== null)) break;
    }
    return slices.length === 0 ? null : { row: shown?.row ?? null, layer: shown?.layer ?? -1, slices };
  }

  #collectChildren(directory: string, slice: Slice, children: Map<string, Candidate[]>): void {
    const index = this.#index(slice.layer);
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

  /** The row that has the metadata: for a hard link that of the file it is a name of. */
  #shownRow(node: Node): LayerRow | null {
    if (node.row?.type !== "hardlink") return node.row;
    const target = this.#index(node.layer).lookup(node.row.target as string);
    if (target === null || target.type === "hardlink" || target.type === "directory" || target.type === "whiteout") {
      throw new BuildError("LAYER_MALFORMED", `hard link ${JSON.stringify(node.row.path)} names nothing of its layer`);
    }
    return target;
  }

  #entry(path: string, node: Node): Entry {
    const row = this.#shownRow(node);
    if (row === null || row.type === "hardlink" || row.type === "whiteout" || row.type === "opaque") {
      return impliedDirectory(path);
    }
    return {
      path,
      type: row.type,
      mode: row.mode,
      uid: row.uid,
      gid: row.gid,
      mtimeSeconds: row.mtimeSeconds,
      mtimeNanos: row.mtimeNanos,
      xattrs: row.xattrs,
      size: row.size,
      target: row.target,
      device: row.device,
      inode: row.type === "directory" ? null : this.#inode(row.path, node.layer),
    };
  }

  /** Null unless at least two of the file's names are to be seen. */
  #inode(path: string, layer: number): string | null {
    const index = this.#index(layer);
    const names = index.linkedNames(path);
    if (names === null) return null;
    let visible = 0;
    for (const name of names) {
      const node = this.#find(name);
      if (node !== null && node.slices === null && node.layer === layer) visible += 1;
      if (visible === 2) return `${layer}:${names[0]}`;
    }
    return null;
  }

  #index(layer: number): LayerIndex {
    return this.#indexes[layer] as LayerIndex;
  }
}

/** The root is always a directory: of its own rows only the opaque mark counts. */
function rootSlices(indexes: readonly LayerIndex[]): readonly Slice[] {
  const slices: Slice[] = [];
  for (let layer = indexes.length - 1; layer >= 0; layer--) {
    const index = indexes[layer] as LayerIndex;
    let start = 0;
    let isOpaque = false;
    for (; start < index.rowCount && index.row(start).path === ""; start++)
      isOpaque ||= index.row(start).type === "opaque";
    slices.push({ layer, start, end: index.rowCount });
    if (isOpaque) break;
  }
  return slices;
}

function impliedDirectory(path: string): Entry {
  return {
    path,
    type: "directory",
    mode: 0o755,
    uid: 0,
    gid: 0,
    mtimeSeconds: 0,
    mtimeNanos: 0,
    xattrs: null,
    size: 0,
    target: null,
    device: null,
    inode: null,
  };
}

/** Opens the content of file row `row` in the form of its layer that is at hand. Throws LAYER_NOT_FOUND without any. */
export function openContent(layer: LayerLocation, row: LayerRow): FileReader {
  const digest = contentDigest(row);
  if (layer.tarFile !== null) return openRange(layer.tarFile, row.offset as number, row.size, digest);
  if (layer.directory !== null) {
    return openRegularFile(
      Buffer.concat([Buffer.from(join(layer.directory, "/")), encodeName(row.path)]),
      row.size,
      digest,
    );
  }
  throw new BuildError("LAYER_NOT_FOUND", `layer ${layer.diffId} has neither a tar nor a directory to read from`);
}
