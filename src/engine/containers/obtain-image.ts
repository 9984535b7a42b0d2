import { BuildError, isBuildError } from "../../base/errors.ts";
import { hostPlatform, type Platform, selectPlatform } from "../../image/platform.ts";
import type { StoredImage, StoredPlatformImage } from "../../store/image-store.ts";
import type { Store } from "../../store/open-store.ts";
import { findImages } from "../find-images.ts";

/** Which image, and whether a registry may be asked for it. */
export interface ImageWish {
  /** A reference, an image ID or the beginning of one. */
  readonly name: string;
  /** null for what suits this machine. */
  readonly platform: Platform | null;
  readonly pull: "always" | "missing" | "never";
}

/**
 * The image somebody wishes for, from the store, and from a registry by `pull` if it has to be. Throws what pulling
 * throws, IMAGE_NOT_FOUND and PLATFORM_UNSUPPORTED.
 */
export async function obtainImage(
  { name, platform, pull: policy }: ImageWish,
  store: Store,
  pull: (reference: string, platform: Platform) => Promise<void>,
): Promise<StoredPlatformImage> {
  const wanted = platform ?? hostPlatform();
  const known = policy === "always" ? null : await findImage(store, name);
  if (known === null && policy === "never")
    throw new BuildError("IMAGE_NOT_FOUND", `image ${JSON.stringify(name)}: not in the store`, {
      hint: "--pull missing asks a registry for it",
    });
  if (known === null) await pull(name, wanted);
  const image = known ?? (await findImage(store, name));
  if (image === null) throw new BuildError("IMAGE_NOT_FOUND", `image ${JSON.stringify(name)}: not found`);
  const [only] = image.platforms;
  if (platform === null && image.platforms.length === 1 && only !== undefined) return only;
  return selectPlatform(image.platforms, wanted, image.reference);
}

/** What is called `name` here, or has that ID; null for nothing, or when the beginning of an ID fits several. */
async function findImage(store: Store, name: string): Promise<StoredImage | null> {
  try {
    return (await findImages(store, name))[0] ?? null;
  } catch (error) {
    if (isBuildError(error, "IMAGE_NOT_FOUND")) return null;
    throw error;
  }
}
