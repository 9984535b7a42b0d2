import type { Descriptor } from "./descriptor.ts";
import { descriptorToJson, readDescriptor } from "./descriptor.ts";
import { formatGoJson, goMap, goStruct } from "./go-json.ts";
import { checkDocumentKind, largestConfigBytes, largestManifestBytes, readImageDocument } from "./image-document.ts";
import { isConfigType, isManifestType } from "./media-types.ts";

/** OCI image-spec manifest.md, also as docker writes it: the media type tells them apart. */
export interface Manifest {
  readonly mediaType: string;
  readonly config: Descriptor;
  /** Lowest first. */
  readonly layers: readonly Descriptor[];
  readonly annotations: ReadonlyMap<string, string>;
}

/**
 * Parses the manifest of an image. `announced` is the media type its descriptor or Content-Type gave, null if none;
 * `subject` names it in errors. Throws IMAGE_INVALID, also for a manifest of something that is not an image.
 */
export function parseManifest(bytes: Uint8Array, announced: string | null, subject = "manifest"): Manifest {
  const document = readImageDocument(bytes, largestManifestBytes, subject);
  const mediaType = checkDocumentKind(document, announced, isManifestType, ["manifests"]);
  const config = readDescriptor(document.object("config"));
  if (!isConfigType(config.mediaType)) {
    throw document.failure(
      "config.mediaType",
      `${JSON.stringify(config.mediaType.slice(0, 200))} is not an image config`,
    );
  }
  if (config.size > largestConfigBytes) {
    throw document.failure("config.size", `got ${config.size}, want at most ${largestConfigBytes}`);
  }
  return {
    mediaType,
    config,
    layers: (document.optionalObjects("layers") ?? []).map(readDescriptor),
    annotations: document.optionalStringMap("annotations") ?? new Map(),
  };
}

/** The bytes BuildKit writes for a manifest: two spaces of indent, Go's escaping, annotations sorted. */
export function serializeManifest(manifest: Manifest): Uint8Array {
  const json = goStruct([
    ["schemaVersion", 2],
    ["mediaType", manifest.mediaType],
    ["config", descriptorToJson(manifest.config)],
    ["layers", manifest.layers.map(descriptorToJson)],
    ["annotations", manifest.annotations.size === 0 ? undefined : goMap(manifest.annotations)],
  ]);
  return Buffer.from(formatGoJson(json, "  "));
}
