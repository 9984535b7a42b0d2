import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { digestFromHex } from "../base/digest.ts";
import { BuildError } from "../base/errors.ts";
import type { CompressedBlock, CompressedPart } from "../layer/compress-blocks.ts";
import type { BlobIdentity } from "./blob-store.ts";
import { storageError, withStorageErrors } from "./storage-error.ts";

/** A block of a blob, and where in the blob it begins. */
export interface PlacedBlock extends CompressedBlock {
  readonly offset: number;
}

export interface WrittenBlob extends BlobIdentity {
  /** In the order they have in the blob. */
  readonly blocks: readonly PlacedBlock[];
}

/** Writes `parts` to the new file `into`, flushed to disk, and finds out the digest of it all. */
export async function writeBlob(parts: AsyncIterable<CompressedPart>, into: string): Promise<WrittenBlob> {
  const hash = createHash("sha256");
  const blocks: PlacedBlock[] = [];
  let size = 0;
  const file = await withStorageErrors(into, () => open(into, "wx", 0o600));
  try {
    for await (const { bytes, block } of parts) {
      hash.update(bytes);
      if (block !== null) blocks.push({ ...block, offset: size });
      size += bytes.length;
      await withStorageErrors(into, () => file.writeFile(bytes));
    }
    await withStorageErrors(into, () => file.sync());
  } finally {
    await file.close();
  }
  return { digest: digestFromHex(hash.digest("hex")), size, blocks };
}

/**
 * Writes untrusted `bytes` to the new file `path`, flushed to disk. Throws BLOB_TOO_LARGE as soon as there are more than
 * `blob` has, BLOB_DIGEST_MISMATCH when they are others or fewer, BUILD_CANCELLED on abort; the file is left then.
 */
export async function writeVerified(
  path: string,
  blob: BlobIdentity,
  bytes: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const hash = createHash("sha256");
  let size = 0;
  const file = await open(path, "wx", 0o600).catch((error: unknown) => {
    throw storageError(error, path);
  });
  try {
    for await (const chunk of bytes) {
      if (signal?.aborted) throw new BuildError("BUILD_CANCELLED", "the build was cancelled");
      size += chunk.length;
      if (size > blob.size)
        throw new BuildError(
          "BLOB_TOO_LARGE",
          `blob ${blob.digest}: got more than the ${blob.size} bytes it is said to have`,
        );
      hash.update(chunk);
      await withStorageErrors(path, () => file.writev([chunk]));
    }
    const got = digestFromHex(hash.digest("hex"));
    if (size !== blob.size || got !== blob.digest) {
      const sizes = size === blob.size ? "" : ` (got ${size} bytes, want ${blob.size})`;
      throw new BuildError("BLOB_DIGEST_MISMATCH", `blob ${blob.digest}: digest mismatch: got ${got}${sizes}`, {
        details: { digest: blob.digest, got, size },
      });
    }
    await withStorageErrors(path, () => file.sync());
  } finally {
    await file.close();
  }
}
