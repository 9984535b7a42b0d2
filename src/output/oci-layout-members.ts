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
export function blobMembers(image: Pick<OciImage, "documents" | "layers">, blobs: BlobStore): readonly ArchiveMember[] {
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

/** An image, and the full references it is listed under. */
export interface NamedOciImage {
  readonly image: OciImage;
  readonly names: readonly string[];
}

/** Everything in an archive that is an OCI layout of `images`; `more` are members on top of it. */
export function layoutMembers(
  images: readonly NamedOciImage[],
  blobs: BlobStore,
  more: readonly ArchiveMember[] = [],
): readonly ArchiveMember[] {
  const documents = new Map(images.flatMap(({ image }) => [...image.documents]));
  const layers = new Map(images.flatMap(({ image }) => image.layers.map((layer) => [layer.digest, layer] as const)));
  const members: readonly ArchiveMember[] = [
    { type: "directory", path: "blobs" },
    { type: "directory", path: "blobs/sha256" },
    ...blobMembers({ documents, layers: [...layers.values()] }, blobs),
    fileMember("index.json", layoutIndex(images.flatMap(({ image, names }) => layoutEntries(image, names)))),
    fileMember("oci-layout", layoutMarker),
    ...more,
  ];
  return [...members].sort(byPath);
}

/** `manifest.json` of docker's image archives, pointing into the layout. Each image has one platform. */
export function dockerManifestMember(images: readonly NamedOciImage[]): ArchiveMember {
  const entries = images.flatMap(({ image, names }) =>
    image.manifests.map(({ config, layers }) => ({
      Config: blobPath(config.digest),
      RepoTags: names.map((name) => familiarReference(parseReference(name))),
      Layers: layers.map(({ digest }) => blobPath(digest)),
    })),
  );
  return fileMember("manifest.json", Buffer.from(JSON.stringify(entries)));
}

const byPath = (a: ArchiveMember, b: ArchiveMember): number => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0);
