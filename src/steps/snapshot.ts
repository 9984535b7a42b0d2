import type { DiffId } from "../base/digest.ts";

/** A layer of a snapshot and when it was made, in milliseconds since the epoch. */
export interface SnapshotLayer {
  readonly diffId: DiffId;
  readonly createdAtMs: number;
}

/** The file system a vertex results in: a stack of layers, lowest first. Plain JSON; this is what a cache record holds. */
export interface Snapshot {
  readonly layers: readonly SnapshotLayer[];
}
