import type { Digest } from "../base/digest.ts";

/** What a blob must turn out to be. A `Descriptor` is one. */
export interface BlobIdentity {
  readonly digest: Digest;
  /** In bytes. */
  readonly size: number;
}

/**
 * Bytes by their sha256. A blob is visible only when it is complete and was verified; it never changes. Reading
 * verifies again: what no longer has its digest is set aside, so that the next `put` can bring it back.
 */
export interface BlobStore {
  /** Whether the blob is there with this size. Its bytes are read only when it has another one: it may be broken. */
  has(blob: BlobIdentity): Promise<boolean>;
  /**
   * Stores a stream of untrusted bytes. Throws BLOB_TOO_LARGE as soon as there are more than `size` bytes,
   * BLOB_DIGEST_MISMATCH when they are others or fewer, BUILD_CANCELLED on abort; nothing is stored then. A blob that
   * is there already is kept and `bytes` is not read.
   */
  put(blob: BlobIdentity, bytes: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<void>;
  /** Stores bytes whose digest is not known yet. */
  putBytes(bytes: Uint8Array): Promise<Digest>;
  /** Takes over a file on the store's file system that was hashed and flushed while it was written. */
  adopt(blob: BlobIdentity, file: string): Promise<void>;
  /**
   * The blob's bytes. Throws BLOB_NOT_FOUND, or BLOB_DIGEST_MISMATCH after the last byte: do not act for good on what
   * was read before the end.
   */
  read(digest: Digest): AsyncIterable<Uint8Array>;
  /** All of a small blob, verified. Throws BLOB_NOT_FOUND, BLOB_DIGEST_MISMATCH, BLOB_TOO_LARGE above `maxBytes`. */
  readBytes(digest: Digest, maxBytes: number): Promise<Buffer>;
  /** File of a blob that is there, to be read by someone who verifies it. */
  path(digest: Digest): string;
  /** Sets a blob aside that was found to be broken; not being there is no error. */
  quarantine(digest: Digest): Promise<void>;
}
