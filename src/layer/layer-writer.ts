import type { DiffId } from "../base/digest.ts";
import type { LayerRow } from "./entry.ts";
import type { FileReader } from "./file-tree.ts";

/** A row before its content was written: the writer finds out digest and offset. */
export type NewRow = Omit<LayerRow, "digest" | "offset">;

/** A finished layer that lies in files of its own, not yet part of the store. */
export interface PackedLayer {
  readonly diffId: DiffId;
  /** Size of the uncompressed tar in bytes. */
  readonly sizeBytes: number;
}

/**
 * Makes a layer row by row: hashes contents, the tar as a whole, and collects the index. Rows must come sorted by path
 * (as `LayerRow` says), each directory before its content. A hardlink's target must have come before it.
 */
export interface LayerWriter {
  /** `content` is read to its end and closed; null for everything but files. Throws CONTEXT_FILE_CHANGED when it is not `row.size` bytes long. */
  add(row: NewRow, content: FileReader | null): void;
  /** Ends the tar; the files are complete and flushed to disk. */
  finish(): PackedLayer;
}
