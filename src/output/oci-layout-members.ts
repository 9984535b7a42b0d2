import { type Digest, hexOf } from "../base/digest.ts";
import type { Descriptor } from "../image/descriptor.ts";
import { serializeImageIndex } from "../image/image-index.ts";
import { mediaTypes } from "../image/media-types.ts";
import { familiarReference, parseReference } from "../image/reference.ts";
import type { BlobStore } from "../store/blob-store.ts";
import { type ArchiveMember, fileMember } from "./archive-stream.ts";
import type { OciImage } from "./oci-image.ts";

const blobPath = (digest: Digest): string => `blobs/sha256/${hexOf(digest)}`;

/** The blobs of an image in an OCI layout (OCI image-spec image-layout.md), sorted by path. */
export function blobMembers(image: OciImage, blobs: BlobStore): readonly ArchiveMember[] {
  const documents = [...image.documents].map(([digest, bytes]) => fileMember(blobPath(digest), bytes));
  const layers = image.layers.map(
    ({ digest, size }): ArchiveMember => ({
      type: "file",
      path: blobPath(digest),
      size,
      content: () => blobs.read(digest),
    }),
  );
  return [...documents, ...layers].sort(byPath);
}

/** index.json lists the image once per name, or once without one. */
export function layoutEntries(image: OciImage, names: readonly string[]): readonly Descriptor[] {
  const created = image.created === null ? {} : { "org.opencontainers.image.created": image.created };
  const named = names.map((name) => ({
    ...created,
    "io.containerd.image.name": name,
    "org.opencontainers.image.ref.name": parseReference(name).tag ?? name,
  }));
  return (named.length === 0 ? [created] : named).map((annotations) => ({
    ...image.root,
    annotations: { ...image.root.annotations, ...annotations },
  }));
}

export const layoutIndex = (entries: readonly Descriptor[]): Uint8Array =>
  serializeImageIndex({ mediaType: mediaTypes.ociIndex, manifests: entries, annotations: new Map() });

export const layoutMarker: Uint8Array = Buffer.from('{"imageLayoutVersion":"1.0.0"}');

/** Everything in an archive that is an OCI layout; `more` are members on top of it. */
export function layoutMembers(
  image: OciImage,
  names: readonly string[],
  blobs: BlobStore,
  more: readonly ArchiveMember[] = [],
): readonly ArchiveMember[] {
  const members: readonly ArchiveMember[] = [
    { type: "directory", path: "blobs" },
    { type: "directory", path: "blobs/sha256" },
    ...blobMembers(image, blobs),
    fileMember("index.json", layoutIndex(layoutEntries(image, names))),
    fileMember("oci-layout", layoutMarker),
    ...more,
  ];
  return [...members].sort(byPath);
}

/** `manifest.json` of docker's image archives, pointing into the layout. The image has one platform. */
export function dockerManifestMember(image: OciImage, names: readonly string[]): ArchiveMember {
  const entries = image.manifests.map(({ config, layers }) => ({
    Config: blobPath(config.digest),
    RepoTags: names.map((name) => familiarReference(parseReference(name))),
    Layers: layers.map(({ digest }) => blobPath(digest)),
  }));
  return fileMember("manifest.json", Buffer.from(JSON.stringify(entries)));
}

const byPath = (a: ArchiveMember, b: ArchiveMember): number => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0);
