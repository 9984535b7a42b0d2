import type { Digest } from "../base/digest.ts";
import { isBuildError } from "../base/errors.ts";
import type { LayerRow } from "./entry.ts";
import type { TarRange } from "./file-tree.ts";
import { readLayerIndex } from "./layer-index.ts";
import type { LayerLocation } from "./layer-location.ts";
import { comparePaths } from "./path-order.ts";

/**
 * A layer that an earlier build made in the same place: most of its files are most likely those of the new one, and lie
 * in its tar in the same order. What it says is only a guess: whoever reads there must compare digests.
 */
export class EarlierLayer {
  readonly #tarFile: string;
  readonly #rows: Iterator<LayerRow>;
  /** The first row that does not sort before what was asked for last; null behind the last one. */
  #row: LayerRow | null;

  constructor(tarFile: string, rows: Iterator<LayerRow>) {
    this.#tarFile = tarFile;
    this.#rows = rows;
    this.#row = this.#nextRow();
  }

  /**
   * Where the file `path` with `size` bytes and this digest lies in the earlier tar; null when it does not. To be asked
   * for paths in the order of rows.
   */
  find(path: string, size: number, digest: Digest): TarRange | null {
    while (this.#row !== null && comparePaths(this.#row.path, path) < 0) this.#row = this.#nextRow();
    const row = this.#row;
    if (row === null || row.path !== path || row.size !== size || row.digest !== digest) return null;
    return row.offset === null ? null : { tarFile: this.#tarFile, offset: row.offset, digest };
  }

  #nextRow(): LayerRow | null {
    return unlessBroken(() => this.#rows.next().value ?? null);
  }
}

/** Opens a layer as an earlier one; null when it has no tar, or its index cannot be read. */
export function openEarlierLayer({ tarFile, indexFile }: LayerLocation): EarlierLayer | null {
  if (tarFile === null) return null;
  return unlessBroken(() => new EarlierLayer(tarFile, readLayerIndex(indexFile)[Symbol.iterator]()));
}

function unlessBroken<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (isBuildError(error)) return null;
    throw error;
  }
}
