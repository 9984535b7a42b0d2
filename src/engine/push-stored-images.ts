import { BuildError } from "../base/errors.ts";
import { type Platform, selectPlatform } from "../image/platform.ts";
import { formatReference, parseReference } from "../image/reference.ts";
import { type Push, pushContentOf } from "../output/push-content-of.ts";
import { keepManifests } from "../output/registry-output.ts";
import { storedOciImage } from "../output/stored-oci-image.ts";
import type { StoredImage, StoredPlatformImage } from "../store/image-store.ts";
import type { LayerStore } from "../store/layer-store.ts";
import type { Store } from "../store/open-store.ts";
import type { RegistryReceipt } from "./build-request.ts";

/** An image that came from a registry and was not changed leaves as it came. */
const options = {
  compression: { format: { compression: "gzip", level: null }, force: false },
  annotations: [],
  ociMediaTypes: true,
} as const;

/**
 * Pushes images of the store under their own names. `platforms` empty is all an image has. Throws IMAGE_NOT_FOUND and
 * PLATFORM_UNSUPPORTED before anything is sent, then what `push` throws.
 */
export async function pushStoredImages(
  names: readonly string[],
  platforms: readonly Platform[],
  store: Store,
  layers: LayerStore,
  push: Push,
  signal: AbortSignal,
): Promise<readonly RegistryReceipt[]> {
  const images = await Promise.all(names.map((name) => findStored(store, name)));
  const chosen = images.map((image) => ({ image, platforms: platformsOf(image, platforms) }));
  const receipts: RegistryReceipt[] = [];
  // Names of one image go together, so that its blobs go once.
  const groups = new Map<string, typeof chosen>();
  for (const each of chosen) {
    const key = [...each.platforms.map(({ imageId }) => imageId), ...each.image.manifests].join(" ");
    groups.set(key, [...(groups.get(key) ?? []), each]);
  }
  for (const group of groups.values()) {
    const [first] = group;
    if (first === undefined) continue;
    const oci = await storedOciImage(first.image, first.platforms, options, store.blobs, layers, signal);
    const references = group.map(({ image }) => image.reference);
    await push(await pushContentOf(oci, layers, store.blobs), references.map(parseReference), signal);
    await keepManifests(oci, references, store.blobs, store.images);
    receipts.push(...references.map((reference) => ({ reference, digest: oci.root.digest })));
  }
  return receipts;
}

async function findStored(store: Store, name: string): Promise<StoredImage> {
  const reference = parseReference(name);
  if (reference.digest !== null)
    throw new BuildError("REFERENCE_INVALID", `image ${JSON.stringify(name)}: want a tag to push to, not a digest`);
  const image = await store.images.get(formatReference(reference));
  if (image !== null) return image;
  throw new BuildError("IMAGE_NOT_FOUND", `image ${formatReference(reference)}: not in the store`, {
    hint: `"tsbuild images" lists what is there, "tsbuild tag" gives an image another name`,
  });
}

function platformsOf(image: StoredImage, wanted: readonly Platform[]): readonly StoredPlatformImage[] {
  if (wanted.length === 0) return image.platforms;
  return [...new Set(wanted.map((platform) => selectPlatform(image.platforms, platform, image.reference)))];
}
