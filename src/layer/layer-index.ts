import { readFileSync } from "node:fs";
import { type DiffId, type Digest, parseDiffId } from "../base/digest.ts";
import { BuildError } from "../base/errors.ts";
import type { LayerRow } from "./entry.ts";
import { decodeRow, type IndexFooter, parseFooter, parseHeader } from "./index-line.ts";
import { comparePaths } from "./path-order.ts";

/**
 * The rows of one layer, sorted as `LayerRow` says. Rows are parsed when they are looked at: opening an index costs
 * one read of the file, whatever the number of rows.
 */
export class LayerIndex {
  readonly diffId: DiffId;
  /** Size of the uncompressed tar in bytes. */
  readonly sizeBytes: number;
  readonly rowCount: number;
  /** Whether the tar can be made again from rows and contents: it was written by a LayerWriter. */
  readonly isCanonical: boolean;
  /** Directories without a row that have one inside them, parents first. */
  readonly impliedDirectories: readonly string[];
  /** Names of each linked file: its own path, then the hardlink rows that name it; keyed by all of them. */
  readonly #links: ReadonlyMap<string, readonly string[]>;
  readonly #file: string;
  readonly #text: Buffer;
  /** Where row n begins in `text`; one more for the end of the last. */
  readonly #starts: Uint32Array;
  readonly #rows: (LayerRow | undefined)[];

  /** `file` is only named in messages. Throws LAYER_MALFORMED for what is not a whole index. */
  constructor(file: string, text: Buffer) {
    this.#file = file;
    this.#text = text;
    const lines = lineStarts(text);
    const line = (at: number): string => text.toString("utf8", lines[at], (lines[at + 1] ?? 0) - 1);
    const count = lines.length - 1;
    if (count < 2) throw this.#malformed("it is cut off");
    this.isCanonical = parseHeader(line(0), file).canonical;
    const footer: IndexFooter = parseFooter(line(count - 1), file);
    if (footer.rows !== count - 2) throw this.#malformed(`got ${count - 2} rows, want ${footer.rows}`);
    this.diffId = parseDiffId(footer.diffId);
    this.sizeBytes = footer.sizeBytes;
    this.rowCount = footer.rows;
    this.impliedDirectories = footer.implied;
    this.#starts = lines.subarray(1, count);
    this.#rows = new Array<LayerRow | undefined>(this.rowCount);
    const links = new Map<string, readonly string[]>();
    for (const names of footer.links) for (const name of names) links.set(name, names);
    this.#links = links;
  }

  /** Row number `at`, counted from 0. */
  row(at: number): LayerRow {
    const known = this.#rows[at];
    if (known !== undefined) return known;
    if (!(at >= 0 && at < this.rowCount)) throw new BuildError("INTERNAL", `index ${this.#file} has no row ${at}`);
    const row = this.#parseRow(at);
    this.#rows[at] = row;
    return row;
  }

  /** Number of the first row from `from` on (before `to`) whose path is `path` or sorts after it; `to` when there is none. */
  search(path: string, from = 0, to = this.rowCount): number {
    let low = from;
    let high = to;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (comparePaths(this.row(middle).path, path) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The row of the file, directory, link... at exactly `path`; a whiteout too, an opaque mark not. */
  lookup(path: string): LayerRow | null {
    const at = this.search(path);
    if (at === this.rowCount) return null;
    const row = this.row(at);
    return row.path === path && row.type !== "opaque" ? row : null;
  }

  /** Number of the first row from `from` on that is not `path` and does not lie in it, where row `from` does or is. */
  endOfTree(path: string, from: number, to = this.rowCount): number {
    const inside = `${path}/`;
    const isInside = (at: number): boolean => {
      const found = this.row(at).path;
      return found.startsWith(inside) || found === path;
    };
    let step = 1;
    let low = from;
    while (low + step < to && isInside(low + step)) {
      low += step;
      step *= 2;
    }
    let high = Math.min(low + step, to);
    low += 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (isInside(middle)) low = middle + 1;
      else high = middle;
    }
    return Math.min(low, to);
  }

  /** All names of the file at `path`, which are one inode; null when it has only one. */
  linkedNames(path: string): readonly string[] | null {
    return this.#links.get(path) ?? null;
  }

  /** All rows in their order; none is kept in memory for it. */
  *[Symbol.iterator](): Generator<LayerRow> {
    for (let at = 0; at < this.rowCount; at++) yield this.#rows[at] ?? this.#parseRow(at);
  }

  #parseRow(at: number): LayerRow {
    const row = decodeRow(this.#text.toString("utf8", this.#starts[at], (this.#starts[at + 1] as number) - 1));
    if (row === null) throw this.#malformed(`row ${at + 1} is damaged`);
    return row;
  }

  #malformed(what: string): BuildError {
    return new BuildError("LAYER_MALFORMED", `layer index ${JSON.stringify(this.#file)}: ${what}`);
  }
}

/** Opens the index of a layer. Throws LAYER_MALFORMED when the file is damaged, LAYER_NOT_FOUND when there is none. */
export function readLayerIndex(file: string): LayerIndex {
  let text: Buffer;
  try {
    text = readFileSync(file);
  } catch (cause) {
    throw new BuildError("LAYER_NOT_FOUND", `layer index ${JSON.stringify(file)} cannot be read`, { cause });
  }
  return new LayerIndex(file, text);
}

/** Digest of the content of `row`, which must be a file of this index. */
export function contentDigest(row: LayerRow): Digest {
  if (row.digest === null) throw new BuildError("INTERNAL", `${JSON.stringify(row.path)} has no content`);
  return row.digest;
}

function lineStarts(text: Buffer): Uint32Array {
  let starts = new Uint32Array(1024);
  let count = 1;
  for (let at = text.indexOf(10); at >= 0; at = text.indexOf(10, at + 1)) {
    if (count === starts.length) {
      const grown = new Uint32Array(2 * count);
      grown.set(starts);
      starts = grown;
    }
    starts[count++] = at + 1;
  }
  return starts.slice(0, count);
}
