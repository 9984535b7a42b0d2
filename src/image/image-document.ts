import { BuildError } from "../base/errors.ts";
import { JsonReader } from "./json-reader.ts";
import { parseJsonObject } from "./strict-json.ts";

/** Largest manifest or index that is read, in bytes: what registries agree to store. */
export const largestManifestBytes = 4 * 1024 * 1024;
/** Largest image config that is read, in bytes. */
export const largestConfigBytes = 4 * 1024 * 1024;

/** A JSON document of an image, ready to be read. `subject` names it in errors, which are IMAGE_INVALID. */
export function readImageDocument(bytes: Uint8Array, limitBytes: number, subject: string): JsonReader {
  const failure = (problem: string): BuildError => new BuildError("IMAGE_INVALID", `${subject}: ${problem}`);
  return new JsonReader(parseJsonObject(bytes, limitBytes, failure), "", failure);
}

/**
 * The media type of a manifest or index: the one it was announced with (by a header or descriptor) and the one it
 * declares, of which one may be missing, must agree. Refuses a document that could be read as another kind
 * (CVE-2021-41190): one of `foreignMembers` is present.
 */
export function checkDocumentKind(
  document: JsonReader,
  announced: string | null,
  isRightKind: (mediaType: string) => boolean,
  foreignMembers: readonly string[],
): string {
  if (document.has("fsLayers")) throw document.failure("fsLayers", "schema version 1 is not supported");
  const declared = document.optionalString("mediaType") ?? null;
  const mediaType = declared ?? announced;
  if (mediaType === null) throw document.failure("mediaType", "missing, and not announced either");
  if (announced !== null && announced !== mediaType) {
    throw document.failure(
      "mediaType",
      `got ${JSON.stringify(mediaType)}, want ${JSON.stringify(announced)} as announced`,
    );
  }
  if (!isRightKind(mediaType))
    throw document.failure("mediaType", `unexpected ${JSON.stringify(mediaType.slice(0, 200))}`);
  const version = document.count("schemaVersion");
  if (version !== 2) throw document.failure("schemaVersion", `got ${version}, want 2`);
  for (const member of foreignMembers) {
    if (document.has(member)) throw document.failure(member, `does not belong into ${mediaType}`);
  }
  return mediaType;
}
