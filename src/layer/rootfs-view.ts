import { join } from "node:path";
import type { Digest } from "../base/digest.ts";
import { BuildError } from "../base/errors.ts";
import { encodeName } from "../base/file-name.ts";
import type { Entry, LayerRow } from "./entry.ts";
import { openRange, openRegularFile } from "./file-readers.ts";
import type { FileReader, FileTree, TarRange } from "./file-tree.ts";
import { contentDigest, readLayerIndex } from "./layer-index.ts";
import type { ReadLayerIndex } from "./layer-indexes.ts";
import type { LayerLocation } from "./layer-location.ts";
import { LayerStack, type StackNode } from "./layer-stack.ts";
import { parentOf } from "./path-order.ts";

/**
 * The file system that a stack of layers (lowest first) makes, merged from their indexes as they are asked for: nothing
 * is mounted and no content is read. A directory that only exists because something lies in it is 0755 and root's.
 */
export function openRootfsView(layers: readonly LayerLocation[], readIndex: ReadLayerIndex = readLayerIndex): FileTree {
  return new RootfsView(layers, readIndex);
}

class RootfsView implements FileTree {
  readonly #layers: readonly LayerLocation[];
  readonly #stack: LayerStack;
  /** By path; null for what is known to be no directory. */
  readonly #directories = new Map<string, StackNode | null>();

  constructor(layers: readonly LayerLocation[], readIndex: ReadLayerIndex) {
    this.#layers = layers;
    this.#stack = new LayerStack(layers.map((layer) => readIndex(layer.indexFile)));
    this.#directories.set("", this.#stack.root);
  }

  lstat(path: string): Entry | null {
    const node = this.#find(path);
    return node === null ? null : this.#entry(path, node);
  }

  list(path: string): readonly Entry[] {
    const directory = this.#directory(path);
    if (directory === null) return [];
    const entries: Entry[] = [];
    for (const [child, node] of this.#stack.children(path, directory))
      if (node.row?.type !== "whiteout") entries.push(this.#entry(child, node));
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

  knownDigest(entry: Entry): Digest {
    return this.digest(entry);
  }

  tarRange(entry: Entry): TarRange | null {
    const { row, layer } = this.#file(entry.path);
    const { tarFile } = this.#layers[layer] as LayerLocation;
    return tarFile === null ? null : { tarFile, offset: row.offset as number, digest: contentDigest(row) };
  }

  #file(path: string): { readonly row: LayerRow; readonly layer: number } {
    const node = this.#find(path);
    const row = node === null ? null : this.#stack.shownRow(node);
    if (node === null || row?.type !== "file") {
      throw new BuildError("CONTEXT_FILE_CHANGED", `${JSON.stringify(path)} is no regular file of this tree`);
    }
    return { row, layer: node.layer };
  }

  #find(path: string): StackNode | null {
    const known = this.#directories.get(path);
    if (known) return known;
    const parent = this.#directory(parentOf(path));
    const found = parent === null ? null : this.#stack.find(path, parent);
    return found?.row?.type === "whiteout" ? null : found;
  }

  #directory(path: string): StackNode | null {
    const known = this.#directories.get(path);
    if (known !== undefined) return known;
    const found = this.#find(path);
    const directory = found?.slices === null ? null : found;
    this.#directories.set(path, directory);
    return directory;
  }

  #entry(path: string, node: StackNode): Entry {
    const row = this.#stack.shownRow(node);
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
    const names = this.#stack.index(layer).linkedNames(path);
    if (names === null) return null;
    let visible = 0;
    for (const name of names) {
      const node = this.#find(name);
      if (node !== null && node.slices === null && node.layer === layer) visible += 1;
      if (visible === 2) return `${layer}:${names[0]}`;
    }
    return null;
  }
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
