import { type Digest, digestOf } from "../base/digest.ts";
import { BuildError, isBuildError } from "../base/errors.ts";
import type { Descriptor } from "../image/descriptor.ts";
import { largestConfigBytes, largestManifestBytes } from "../image/image-document.ts";
import { mediaTypeOf, parseImageRoot } from "../image/image-root.ts";
import { mediaTypes } from "../image/media-types.ts";
import { findInOciLayout, openOciLayout, readOciLayoutBlob } from "../image/oci-layout.ts";
import { formatReference, type Reference } from "../image/reference.ts";
import type { BlobStore } from "../store/blob-store.ts";
import type { FetchedManifest, RegistryClient } from "./registry-client.ts";

/** Where one image comes from. What it gives is verified. */
export interface ImageSource {
  /** For messages: `docker.io/library/busybox:latest`. */
  readonly name: string;
  /** What `RemoteBlobs.open` takes for this image's layers. */
  readonly origin: string;
  /** What the image's name leads to now. */
  resolve(signal: AbortSignal): Promise<FetchedManifest>;
  /** A manifest, index or config of the image. */
  fetch(blob: Descriptor, kind: "manifest" | "config", signal: AbortSignal): Promise<Uint8Array>;
}

/**
 * An image in a registry. Manifests and configs are kept in `blobs`: as long as a tag does not move, resolving it again
 * is one HEAD request; a digest that was resolved before needs none.
 */
export function registrySource(client: RegistryClient, blobs: BlobStore, reference: Reference): ImageSource {
  const name = formatReference(reference);
  const stored = async (blob: { readonly digest: Digest; readonly size: number }): Promise<Uint8Array | null> => {
    try {
      return (await blobs.has(blob)) ? await blobs.readBytes(blob.digest, largestManifestBytes) : null;
    } catch (error) {
      if (isBuildError(error, "BLOB_NOT_FOUND") || isBuildError(error, "BLOB_DIGEST_MISMATCH")) return null;
      throw error;
    }
  };
  const fetchAndKeep = async (wanted: Reference, signal: AbortSignal): Promise<FetchedManifest> => {
    const fetched = await client.fetchManifest(wanted, signal);
    await blobs.putBytes(fetched.bytes);
    return fetched;
  };
  return {
    name,
    origin: `${reference.registry}/${reference.repository}`,
    async resolve(signal) {
      const pinned = reference.digest === null ? null : await storedManifest(blobs, reference.digest, name);
      if (pinned !== null) return pinned;
      const head = await client.headManifest(reference, signal);
      if (head === null) return fetchAndKeep(reference, signal);
      const bytes = await stored(head);
      if (bytes === null) return fetchAndKeep({ ...reference, digest: head.digest }, signal);
      return { descriptor: head, bytes, root: parseImageRoot(bytes, head.mediaType, `manifest of ${name}`) };
    },
    async fetch(blob, kind, signal) {
      const known = await stored(blob);
      if (known !== null) return known;
      if (kind === "manifest") return (await fetchAndKeep({ ...reference, digest: blob.digest }, signal)).bytes;
      const bytes = await client.fetchBlob(reference, blob, largestConfigBytes, signal);
      await blobs.putBytes(bytes);
      return bytes;
    },
  };
}

/** A manifest that is in `blobs` and says itself what it is; null otherwise. */
async function storedManifest(blobs: BlobStore, digest: Digest, name: string): Promise<FetchedManifest | null> {
  try {
    const bytes = await blobs.readBytes(digest, largestManifestBytes);
    const root = parseImageRoot(bytes, null, `manifest of ${name}`);
    return { descriptor: { mediaType: mediaTypeOf(root), digest, size: bytes.length }, bytes, root };
  } catch (error) {
    if (isBuildError(error)) return null;
    throw error;
  }
}

/** How origins of OCI layouts begin; the rest is the path of the layout. */
export const layoutOriginPrefix = "oci-layout:";

/** An image in the OCI layout `directory`, by tag or digest (`findInOciLayout`). */
export function layoutSource(directory: string, tag: string | null, digest: Digest | null): ImageSource {
  const name = `OCI layout ${directory}`;
  return {
    name,
    origin: `${layoutOriginPrefix}${directory}`,
    async resolve() {
      const layout = await openOciLayout(directory);
      const descriptor = (await findInOciLayout(layout, tag, digest)) ?? {
        mediaType: mediaTypes.ociIndex,
        digest: digestOf(layout.indexBytes),
        size: layout.indexBytes.length,
      };
      const isIndexFile = descriptor.digest === digestOf(layout.indexBytes);
      const bytes = isIndexFile
        ? layout.indexBytes
        : await readOciLayoutBlob(directory, descriptor, largestManifestBytes);
      const root = parseImageRoot(bytes, descriptor.mediaType, `manifest of ${name}`);
      if (mediaTypeOf(root) !== descriptor.mediaType) {
        throw new BuildError("IMAGE_INVALID", `${name}: got ${mediaTypeOf(root)}, want ${descriptor.mediaType}`);
      }
      return { descriptor, bytes, root };
    },
    fetch: (blob, kind) =>
      readOciLayoutBlob(directory, blob, kind === "config" ? largestConfigBytes : largestManifestBytes),
  };
}
