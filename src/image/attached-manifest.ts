import { BuildError } from "../base/errors.ts";
import { type Descriptor, readDescriptor } from "./descriptor.ts";
import { checkDocumentKind, largestManifestBytes, readImageDocument } from "./image-document.ts";
import { isManifestType } from "./media-types.ts";

/**
 * What a manifest in an index names that is not the image of a platform, such as a provenance attestation: its config
 * and its layers. `subject` names it in errors. Throws IMAGE_INVALID.
 */
export function parseAttachedManifest(bytes: Uint8Array, subject: string): readonly Descriptor[] {
  const document = readImageDocument(bytes, largestManifestBytes, subject);
  checkDocumentKind(document, null, isManifestType, ["manifests"]);
  const blobs = [document.object("config"), ...(document.optionalObjects("layers") ?? [])].map(readDescriptor);
  if (blobs.length > mostBlobs)
    throw new BuildError("IMAGE_INVALID", `${subject}: got ${blobs.length} blobs, want at most ${mostBlobs}`);
  return blobs;
}

const mostBlobs = 1000;
