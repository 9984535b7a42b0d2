import { BuildError, isBuildError } from "../base/errors.ts";
import { findImages } from "../engine/find-images.ts";
import { hostPlatform, parsePlatform, selectPlatform } from "../image/platform.ts";
import { formatReference, parseReference } from "../image/reference.ts";
import type { StoredImage, StoredPlatformImage } from "../store/image-store.ts";
import type { Store } from "../store/open-store.ts";

/** What a user means by `text`, and the name it was asked for by: null for an image ID. Throws IMAGE_NOT_FOUND. */
export async function chooseImage(
  store: Store,
  text: string,
): Promise<{ readonly image: StoredImage; readonly name: string | null }> {
  const [image] = await findImages(store, text);
  if (image === undefined) throw new BuildError("IMAGE_NOT_FOUND", `image ${JSON.stringify(text)}: not found`);
  return { image, name: isNameOf(text, image) ? image.reference : null };
}

function isNameOf(text: string, image: StoredImage): boolean {
  try {
    return formatReference(parseReference(text)) === image.reference;
  } catch (error) {
    if (isBuildError(error, "REFERENCE_INVALID")) return false;
    throw error;
  }
}

/** The platform of an image that is asked for; without a wish the only one, or the best for this machine. */
export function choosePlatform(image: StoredImage, wanted: string | undefined): StoredPlatformImage {
  const [only] = image.platforms;
  if (wanted === undefined && image.platforms.length === 1 && only !== undefined) return only;
  const platform = wanted === undefined ? hostPlatform() : parsePlatform(wanted);
  return selectPlatform(image.platforms, platform, image.reference);
}
