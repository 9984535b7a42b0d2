import { BuildError, isBuildError } from "../base/errors.ts";
import { formatReference, parseReference, type Reference } from "../image/reference.ts";
import type { StoredImage } from "../store/image-store.ts";
import type { Store } from "../store/open-store.ts";

/**
 * The images a user means by a name, by `NAME@DIGEST`, or by the beginning of an image ID or a manifest's digest. Throws
 * IMAGE_NOT_FOUND when there is none, or when the beginning fits several.
 */
export async function findImages(store: Store, text: string): Promise<readonly StoredImage[]> {
  const reference = referenceOf(text);
  if (reference === null) return store.images.find(text);
  const image = await store.images.get(formatReference(reference));
  if (image !== null) return [image];
  if (reference.digest === null) return store.images.find(text);
  const named = (await store.images.list()).filter((other) => isCalledSo(other, reference));
  if (named.length > 0) return named;
  throw new BuildError("IMAGE_NOT_FOUND", `image ${JSON.stringify(text)}: not found`, {
    hint: '"tsbuild images --digests" lists the digests of images',
  });
}

/** A name as it is written; null when `text` is none. */
export function referenceOf(text: string): Reference | null {
  try {
    return parseReference(text);
  } catch (error) {
    if (isBuildError(error, "REFERENCE_INVALID")) return null;
    throw error;
  }
}

function isCalledSo({ reference, manifests }: StoredImage, wanted: Reference): boolean {
  const { registry, repository, tag } = parseReference(reference);
  return (
    registry === wanted.registry &&
    repository === wanted.repository &&
    (wanted.tag === null || wanted.tag === tag) &&
    wanted.digest !== null &&
    manifests.includes(wanted.digest)
  );
}
