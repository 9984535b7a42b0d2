import { BuildError, isBuildError } from "../base/errors.ts";
import { familiarReference, formatReference, parseReference } from "../image/reference.ts";
import type { StoredImage } from "../store/image-store.ts";
import type { Store } from "../store/open-store.ts";
import type { RmiOptions } from "./command-line.ts";
import { findImages } from "./image-rows.ts";
import { withStore } from "./with-store.ts";

/** `tsbuild rmi`: forgets names of images; `tsbuild prune` frees their layers. All names are checked before any goes. */
export async function runRmi(names: readonly string[], options: RmiOptions): Promise<void> {
  const lines = await withStore(options, async (store) => {
    const doomed = (await Promise.all(names.map((name) => imagesToRemove(store, name, options.force === true)))).flat();
    for (const { reference } of doomed) await store.images.untag(reference);
    return doomed.map(({ reference }) => `Untagged: ${familiarReference(parseReference(reference))}\n`);
  });
  process.stdout.write([...new Set(lines)].join(""));
}

async function imagesToRemove(store: Store, name: string, force: boolean): Promise<readonly StoredImage[]> {
  const images = await findImages(store, name);
  const isName = images.length === 1 && images[0]?.reference === referenceOf(name);
  if (isName || images.length === 1 || force) return images;
  const tags = images.map(({ reference }) => familiarReference(parseReference(reference))).join(", ");
  throw new BuildError("USAGE_INVALID", `image ${JSON.stringify(name)}: has several names: ${tags}`, {
    hint: "remove it by name, or all of them with --force",
  });
}

function referenceOf(name: string): string | null {
  try {
    return formatReference(parseReference(name));
  } catch (error) {
    if (isBuildError(error, "REFERENCE_INVALID")) return null;
    throw error;
  }
}
