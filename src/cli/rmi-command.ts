import type { Digest } from "../base/digest.ts";
import { BuildError, isBuildError } from "../base/errors.ts";
import { findImages, referenceOf } from "../engine/find-images.ts";
import { familiarReference, formatReference, parseReference } from "../image/reference.ts";
import type { StoredImage } from "../store/image-store.ts";
import type { Store } from "../store/open-store.ts";
import type { RmiOptions } from "./image-commands.ts";
import { withStore } from "./with-store.ts";

/** `tsbuild rmi`: forgets names of images; `tsbuild prune` frees their layers. All names are checked before any goes. */
export async function runRmi(names: readonly string[], options: RmiOptions): Promise<void> {
  const lines = await withStore(options, async (store) => {
    const found = await Promise.all(names.map((name) => imagesToRemove(store, name, options.force === true)));
    const doomed = [...new Map(found.flat().map((image) => [image.reference, image])).values()];
    if (options.force !== true) await refuseImagesInUse(store, doomed);
    for (const { reference } of doomed) await store.images.untag(reference);
    return [
      ...doomed.map(({ reference }) => `Untagged: ${familiarReference(parseReference(reference))}\n`),
      ...(await namelessOf(store, doomed)).map((imageId) => `Deleted: ${imageId}\n`),
    ];
  });
  process.stdout.write(lines.join(""));
}

async function imagesToRemove(store: Store, name: string, force: boolean): Promise<readonly StoredImage[]> {
  const images = await findImages(store, name).catch((error: unknown) => {
    if (force && isBuildError(error, "IMAGE_NOT_FOUND") && error.details.fitting !== "several") return [];
    throw error;
  });
  const reference = referenceOf(name);
  const isName = reference !== null && images.length === 1 && images[0]?.reference === formatReference(reference);
  if (isName || images.length <= 1 || force) return images;
  const tags = images.map((image) => familiarReference(parseReference(image.reference))).join(", ");
  throw new BuildError("USAGE_INVALID", `image ${JSON.stringify(name)}: has several names: ${tags}`, {
    hint: "remove it by name, or all of them with --force",
  });
}

/** Throws USAGE_INVALID when a container was made of an image that loses its last name. */
async function refuseImagesInUse(store: Store, doomed: readonly StoredImage[]): Promise<void> {
  const references = new Set(doomed.map(({ reference }) => reference));
  const kept = (await store.images.list()).filter(({ reference }) => !references.has(reference));
  const keptIds = new Set(kept.flatMap(({ platforms }) => platforms.map(({ imageId }) => imageId)));
  const containers = await store.containers.list();
  for (const { reference, platforms } of doomed) {
    const user = containers.find(
      ({ imageId }) => !keptIds.has(imageId) && platforms.some((platform) => platform.imageId === imageId),
    );
    if (user === undefined) continue;
    const state = user.isRunning ? "running" : "stopped";
    throw new BuildError(
      "USAGE_INVALID",
      `image ${JSON.stringify(reference)}: ${state} container ${user.name} uses it`,
      {
        hint: `remove the container first: tsbuild rm ${user.name}; or only the name of the image, with --force`,
      },
    );
  }
}

/** Which of the removed images no name is left of. */
async function namelessOf(store: Store, removed: readonly StoredImage[]): Promise<readonly Digest[]> {
  const left = new Set((await store.images.list()).flatMap(({ platforms }) => platforms.map(({ imageId }) => imageId)));
  const gone = removed.flatMap(({ platforms }) => platforms.map(({ imageId }) => imageId));
  return [...new Set(gone)].filter((imageId) => !left.has(imageId));
}
