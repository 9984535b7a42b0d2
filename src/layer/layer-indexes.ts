import { type Stats, statSync } from "node:fs";
import { type LayerIndex, readLayerIndex } from "./layer-index.ts";

/** Opens the index of a layer by its file. Throws as `readLayerIndex` does. */
export type ReadLayerIndex = (file: string) => LayerIndex;

interface Kept {
  readonly index: LayerIndex;
  readonly status: Stats;
}

const isSameFile = (a: Stats, b: Stats): boolean =>
  a.ino === b.ino && a.dev === b.dev && a.size === b.size && a.mtimeMs === b.mtimeMs;

/**
 * Indexes that were opened, to be opened again: steps that follow each other stand on the same layers. Those used last
 * are kept, up to `limitBytes` of their files. An index file is replaced, never changed, so one that is the same file is
 * the same index.
 */
export class LayerIndexes {
  readonly #limitBytes: number;
  /** By file, the one used last at the end. */
  readonly #kept = new Map<string, Kept>();
  #keptBytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  readonly read: ReadLayerIndex = (file) => {
    const status = statSync(file, { throwIfNoEntry: false });
    const known = this.#forget(file);
    if (status === undefined) return readLayerIndex(file);
    const index = known !== undefined && isSameFile(known.status, status) ? known.index : readLayerIndex(file);
    this.#keep(file, { index, status });
    return index;
  };

  #keep(file: string, kept: Kept): void {
    if (kept.status.size > this.#limitBytes) return;
    this.#kept.set(file, kept);
    this.#keptBytes += kept.status.size;
    for (const oldest of this.#kept.keys()) {
      if (this.#keptBytes <= this.#limitBytes) return;
      this.#forget(oldest);
    }
  }

  #forget(file: string): Kept | undefined {
    const kept = this.#kept.get(file);
    if (kept === undefined) return undefined;
    this.#kept.delete(file);
    this.#keptBytes -= kept.status.size;
    return kept;
  }
}
