import { largestManifestBytes, readImageDocument } from "./image-document.ts";
import { type ImageIndex, parseImageIndex } from "./image-index.ts";
import { type Manifest, parseManifest } from "./manifest.ts";
import { isIndexType } from "./media-types.ts";

/** What a reference leads to: the manifest of one image, or an index of several. */
export type ImageRoot =
  | { readonly kind: "manifest"; readonly manifest: Manifest }
  | { readonly kind: "index"; readonly index: ImageIndex };

/**
 * Parses a manifest or an index, whichever its media type says it is: the one it was `announced` with or the one it
 * declares. Throws IMAGE_INVALID.
 */
export function parseImageRoot(bytes: Uint8Array, announced: string | null, subject: string): ImageRoot {
  const mediaType =
    announced ?? readImageDocument(bytes, largestManifestBytes, subject).optionalString("mediaType") ?? "";
  return isIndexType(mediaType)
    ? { kind: "index", index: parseImageIndex(bytes, announced, subject) }
    : { kind: "manifest", manifest: parseManifest(bytes, announced, subject) };
}

/** The media type of what `parseImageRoot` made. */
export const mediaTypeOf = (root: ImageRoot): string =>
  root.kind === "index" ? root.index.mediaType : root.manifest.mediaType;
