import { BuildError } from "../base/errors.ts";
import { largestManifestBytes } from "../image/image-document.ts";
import { JsonReader } from "../image/json-reader.ts";
import { isIndexType, isManifestType } from "../image/media-types.ts";
import { parseJsonObject } from "../image/strict-json.ts";
import { type ContentDigest, parseContentDigest } from "../store/content-digest.ts";
import { RegistryRefusal } from "./registry-refusal.ts";

/** Something a manifest names. */
export interface NamedContent {
  readonly digest: ContentDigest;
  readonly size: number;
}

/** What a registry has to know of a manifest; what kind of thing it describes is not its business. */
export interface PushedManifest {
  readonly mediaType: string;
  readonly artifactType: string;
  readonly subject: ContentDigest | null;
  readonly annotations: ReadonlyMap<string, string>;
  /** Config and layers; not those that are never distributed. */
  readonly blobs: readonly NamedContent[];
  /** Manifests of an index. */
  readonly manifests: readonly NamedContent[];
}

/**
 * Reads a manifest or index, of an image or of anything else. `announced` is its Content-Type, null for none. Throws a
 * RegistryRefusal.
 */
export function parsePushedManifest(bytes: Uint8Array, announced: string | null): PushedManifest {
  try {
    return readManifest(bytes, announced);
  } catch (error) {
    if (error instanceof BuildError) throw new RegistryRefusal(400, "MANIFEST_INVALID", error.message);
    throw error;
  }
}

function readManifest(bytes: Uint8Array, announced: string | null): PushedManifest {
  const failure = (problem: string): BuildError => new BuildError("IMAGE_INVALID", `manifest: ${problem}`);
  const document = new JsonReader(parseJsonObject(bytes, largestManifestBytes, failure), "", failure);
  const declared = document.optionalString("mediaType") ?? null;
  const mediaType = declared ?? announced ?? "";
  if (announced !== null && announced !== mediaType)
    throw document.failure("mediaType", `got ${JSON.stringify(mediaType.slice(0, 200))}, want the Content-Type`);
  const isIndex = isIndexType(mediaType);
  if (!isIndex && !isManifestType(mediaType))
    throw document.failure("mediaType", `${JSON.stringify(mediaType.slice(0, 200))} is not supported`);
  if (document.count("schemaVersion") !== 2) throw document.failure("schemaVersion", "want 2");
  for (const member of isIndex ? ["config", "layers", "fsLayers"] : ["manifests", "fsLayers"]) {
    if (document.has(member)) throw document.failure(member, `does not belong into ${mediaType}`);
  }
  const common = {
    mediaType,
    subject: document.has("subject") ? contentOf(document.object("subject")).digest : null,
    annotations: document.optionalStringMap("annotations") ?? new Map<string, string>(),
  };
  const artifactType = document.optionalString("artifactType") ?? "";
  if (isIndex) {
    const manifests = (document.optionalObjects("manifests") ?? []).map(contentOf);
    return { ...common, artifactType, blobs: [], manifests };
  }
  const config = document.object("config");
  const layers = (document.optionalObjects("layers") ?? []).filter((layer) => !isKeptElsewhere(layer));
  return {
    ...common,
    artifactType: artifactType === "" ? config.string("mediaType") : artifactType,
    blobs: [config, ...layers].map(contentOf),
    manifests: [],
  };
}

const contentOf = (descriptor: JsonReader): NamedContent => ({
  digest: descriptor.parsed("digest", parseContentDigest),
  size: descriptor.count("size"),
});

/** Layers whose licence forbids to distribute them are named, but fetched from where `urls` says. */
function isKeptElsewhere(layer: JsonReader): boolean {
  const mediaType = layer.string("mediaType");
  return mediaType.includes(".nondistributable.") || mediaType.includes(".foreign.");
}
