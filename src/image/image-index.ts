import type { Descriptor } from "./descriptor.ts";
import { descriptorToJson, readDescriptor } from "./descriptor.ts";
import { formatGoJson, goMap, goStruct } from "./go-json.ts";
import { checkDocumentKind, largestManifestBytes, readImageDocument } from "./image-document.ts";
import { isIndexType } from "./media-types.ts";

/** OCI image-spec image-index.md, also a docker manifest list. */
export interface ImageIndex {
  readonly mediaType: string;
  readonly manifests: readonly Descriptor[];
  readonly annotations: ReadonlyMap<string, string>;
}

/**
 * Parses an index. `announced` is the media type its descriptor or Content-Type gave, null if none; `subject` names it
 * in errors. Throws IMAGE_INVALID.
 */
export function parseImageIndex(bytes: Uint8Array, announced: string | null, subject = "index"): ImageIndex {
  const document = readImageDocument(bytes, largestManifestBytes, subject);
  const mediaType = checkDocumentKind(document, announced, isIndexType, ["config", "layers"]);
  return {
    mediaType,
    manifests: (document.optionalObjects("manifests") ?? []).map(readDescriptor),
    annotations: document.optionalStringMap("annotations") ?? new Map(),
  };
}

/** The bytes BuildKit writes for an index: two spaces of indent, Go's escaping, annotations sorted. */
export function serializeImageIndex(index: ImageIndex): Uint8Array {
  const json = goStruct([
    ["schemaVersion", 2],
    ["mediaType", index.mediaType],
    ["manifests", index.manifests.map(descriptorToJson)],
    ["annotations", index.annotations.size === 0 ? undefined : goMap(index.annotations)],
  ]);
  return Buffer.from(formatGoJson(json, "  "));
}

/** Whether a manifest of an index is an image; not: an attestation about one, which names an unknown platform. */
export const isImageEntry = (entry: Descriptor): boolean =>
  entry.annotations?.["vnd.docker.reference.type"] === undefined && entry.platform?.os !== "unknown";
