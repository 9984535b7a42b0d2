import type { Digest } from "../base/digest.ts";
import { BuildError } from "../base/errors.ts";
import { parseAttachedManifest } from "../image/attached-manifest.ts";
import type { Descriptor } from "../image/descriptor.ts";
import { isManifestType } from "../image/media-types.ts";
import type { BlobStore } from "../store/blob-store.ts";
import type { ImageSource } from "./image-source.ts";

/** Largest blob of something that is attached to an image, in bytes. */
const largestAttachmentBytes = 64 * 1024 * 1024;

/**
 * Brings what an index names besides images, attestations for example, into `blobs`; the digests of all that came. Throws
 * SOURCE_*, IMAGE_INVALID, BLOB_DIGEST_MISMATCH, BLOB_TOO_LARGE.
 */
export async function fetchAttached(
  source: ImageSource,
  entries: readonly Descriptor[],
  blobs: BlobStore,
  openBlob: (blob: Descriptor) => Promise<AsyncIterable<Uint8Array>>,
  signal: AbortSignal,
): Promise<readonly Digest[]> {
  const digests: Digest[] = [];
  for (const entry of entries) {
    if (!isManifestType(entry.mediaType))
      throw new BuildError("SOURCE_INVALID", `${source.name}: its index names a ${entry.mediaType}`);
    const manifest = await source.fetch(entry, "manifest", signal);
    for (const blob of parseAttachedManifest(manifest, `manifest ${entry.digest} of ${source.name}`)) {
      if (blob.size > largestAttachmentBytes)
        throw new BuildError(
          "BLOB_TOO_LARGE",
          `blob ${blob.digest}: got ${blob.size} bytes, want at most ${largestAttachmentBytes}`,
        );
      if (!(await blobs.has(blob))) await blobs.put(blob, await openBlob(blob), signal);
      digests.push(blob.digest);
    }
    digests.push(entry.digest);
  }
  return digests;
}
