import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { readerOf } from "../../src/layer/file-readers.ts";
import { markRow } from "../../src/layer/index-line.ts";
import type { LayerLocation } from "../../src/layer/layer-location.ts";
import { type NewRow, openLayerWriter } from "../../src/layer/layer-writer.ts";
import { comparePaths } from "../../src/layer/path-order.ts";

/** A row and, for a file, its content. */
export interface LayerItem {
  readonly row: NewRow;
  readonly content: Uint8Array | null;
}

type Facts = Partial<NewRow>;

const plain = {
  uid: 0,
  gid: 0,
  mtimeSeconds: 1_600_000_000,
  mtimeNanos: 0,
  xattrs: null,
  size: 0,
  target: null,
  device: null,
};

export const dir = (path: string, facts: Facts = {}): LayerItem => ({
  row: { ...plain, mode: 0o755, path, type: "directory", ...facts },
  content: null,
});

export function file(path: string, content: string | Uint8Array = "", facts: Facts = {}): LayerItem {
  const bytes = Buffer.from(content);
  return { row: { ...plain, mode: 0o644, path, type: "file", size: bytes.length, ...facts }, content: bytes };
}

export const symlink = (path: string, target: string, facts: Facts = {}): LayerItem => ({
  row: { ...plain, mode: 0o777, path, type: "symlink", target, ...facts },
  content: null,
});

export const hardlink = (path: string, target: string, facts: Facts = {}): LayerItem => ({
  row: { ...plain, mode: 0o644, path, type: "hardlink", target, ...facts },
  content: null,
});

export const special = (path: string, type: "char" | "block" | "fifo", facts: Facts = {}): LayerItem => ({
  row: { ...plain, mode: 0o644, path, type, device: type === "fifo" ? null : { major: 1, minor: 3 }, ...facts },
  content: null,
});

export const whiteout = (path: string): LayerItem => ({ row: markRow(path, "whiteout"), content: null });

export const opaque = (path: string): LayerItem => ({ row: markRow(path, "opaque"), content: null });

/** Writes a layer with `items`, in any order, into a new `directory`. */
export function makeLayer(directory: string, items: readonly LayerItem[]): LayerLocation {
  mkdirSync(directory, { recursive: true });
  const writer = openLayerWriter(directory, { keepTar: true });
  // The sort is stable: an opaque mark given behind its directory stays there.
  const sorted = [...items].sort((a, b) => comparePaths(a.row.path, b.row.path));
  for (const { row, content } of sorted) writer.add(row, content === null ? null : readerOf(content));
  const { diffId } = writer.finish();
  return { diffId, indexFile: join(directory, "index"), tarFile: join(directory, "tar"), directory: null };
}

/** Writes one layer per list, lowest first. */
export function makeLayers(root: string, layers: readonly (readonly LayerItem[])[]): readonly LayerLocation[] {
  return layers.map((items, at) => makeLayer(join(root, String(at)), items));
}
