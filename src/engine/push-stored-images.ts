import { BuildError } from "../base/errors.ts";
import { type Platform, selectPlatform } from "../image/platform.ts";
import { formatReference, parseReference } from "../image/reference.ts";
import type { LayerCompression } from "../output/parse-output-flag.ts";
import { type Push, pushContentOf } from "../output/push-content-of.ts";
import { keepManifests } from "../output/registry-output.ts";
import { storedOciImage } from "../output/stored-oci-image.ts";
import type { StoredImage, StoredPlatformImage } from "../store/image-store.ts";
import type { LayerStore } from "../store/layer-store.ts";
import type { Store } from "../store/open-store.ts";
import type { RegistryReceipt } from "./build-request.ts";

/** What is pushed of images, and how. */
export interface PushOptions {
  /** Empty for all an image has. */
  readonly platforms: readonly Platform[];
  /** Every tag the store has of the repositories, instead of the names themselves. */
  readonly allTags: boolean;
  /** An image that came from a registry and was not changed leaves as it came, unless this is forced. */
  readonly compression: LayerCompression;
}

/**
 * Pushes images of the store under their own names. Throws IMAGE_NOT_FOUND and PLATFORM_UNSUPPORTED before anything is
 * sent, then what `push` throws.
 */
export async function pushStoredImages(
  names: readonly string[],
  { platforms, allTags, compression }: PushOptions,
  store: Store,
  layers: LayerStore,
  push: Push,
  signal: AbortSignal,
): Promise<readonly RegistryReceipt[]> {
  const options = { compression, annotations: [], ociMediaTypes: true } as const;
  const find = allTags ? findTags : findStored;
  const images = (await Promise.all(names.map((name) => find(store, name)))).flat();
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

async function findTags(store: Store, name: string): Promise<readonly StoredImage[]> {
  const wanted = parseReference(name);
  if (
    formatReference(wanted) !== formatReference({ ...wanted, tag: "latest", digest: null }) ||
    name.endsWith(":latest")
  )
    throw new BuildError("REFERENCE_INVALID", `image ${JSON.stringify(name)}: want no tag, as all are meant`);
  const found = (await store.images.list()).filter(({ reference }) => {
    const { registry, repository, tag } = parseReference(reference);
    return tag !== null && registry === wanted.registry && repository === wanted.repository;
  });
  if (found.length > 0) return found;
  throw new BuildError("IMAGE_NOT_FOUND", `repository ${JSON.stringify(name)}: the store has no tag of it`);
}

function platformsOf(image: StoredImage, wanted: readonly Platform[]): readonly StoredPlatformImage[] {
  if (wanted.length === 0) return image.platforms;
  return [...new Set(wanted.map((platform) => selectPlatform(image.platforms, platform, image.reference)))];
}
