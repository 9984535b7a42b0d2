import { join } from "node:path";
import type { DiffId, Digest } from "../base/digest.ts";
import { BuildError } from "../base/errors.ts";
import type { LayerRow } from "./entry.ts";
import type { FileReader, TarRange } from "./file-tree.ts";
import { LayerIndexWriter } from "./layer-index-writer.ts";
import { TarOutput } from "./tar-output.ts";

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
  /**
   * `content` is read to its end and closed; null for everything but files. Throws CONTEXT_FILE_CHANGED when it is not
   * `row.size` bytes long, BLOB_DIGEST_MISMATCH when it does not have the digest it promises. The tar has times in whole seconds.
   * Returns the digest of the content; null when there is none.
   */
  add(row: NewRow, content: FileReader | null): Digest | null;
  /**
   * As `add` for a file whose content lies in a tar already. What is read there counts only if it has the digest it must
   * have; if not, or if it is large, the content is that of `otherwise()`.
   */
  addFromTar(row: NewRow, range: TarRange, otherwise: () => FileReader): Digest;
  /** Ends the tar; the files are complete, and flushed to disk if the tar is kept. */
  finish(): PackedLayer;
  /** Closes the files of a layer that cannot be finished; they are left to whoever owns the directory. */
  abandon(): void;
}

/**
 * Starts a layer in an existing `directory`: writes `<directory>/index` and, with `keepTar`, `<directory>/tar`.
 * Without `keepTar` the tar is only hashed, and the index has the times of the directory it was made from, to the
 * nanosecond.
 */
export function openLayerWriter(directory: string, options: { readonly keepTar: boolean }): LayerWriter {
  const index = new LayerIndexWriter(join(directory, "index"), true);
  const tar = new TarOutput(options.keepTar ? join(directory, "tar") : null);
  const keep = (row: NewRow): NewRow => (options.keepTar && row.mtimeNanos !== 0 ? { ...row, mtimeNanos: 0 } : row);
  const addContent = (row: NewRow, content: FileReader): Digest => {
    const offset = tar.sizeBytes;
    try {
      const digest = tar.appendContent(row, content);
      index.add({ ...keep(row), digest, offset });
      return digest;
    } finally {
      content.close();
    }
  };
  return {
    add(row, content) {
      tar.appendHeader(row);
      if (row.type === "file") {
        if (content === null) throw new BuildError("INTERNAL", `no content for file ${JSON.stringify(row.path)}`);
        return addContent(row, content);
      }
      index.add({ ...keep(row), digest: null, offset: null });
      return null;
    },
    addFromTar(row, range, otherwise) {
      tar.appendHeader(row);
      const offset = tar.sizeBytes;
      if (!tar.appendRange(row, range)) return addContent(row, otherwise());
      index.add({ ...keep(row), digest: range.digest, offset });
      return range.digest;
    },
    finish() {
      const packed = tar.finish();
      // Without a tar the layer is a directory that nobody flushes: what a power loss damages is noticed, and made again.
      index.finish(packed.diffId, packed.sizeBytes, options.keepTar);
      return packed;
    },
    abandon() {
      index.abandon();
      tar.abandon();
    },
  };
}
