import { formatReference, parseReference } from "../image/reference.ts";
import type { GlobalOptions } from "./command-line.ts";
import { findImages } from "./image-rows.ts";
import { withStore } from "./with-store.ts";

/** `tsbuild tag`: one more name for an image. */
export async function runTag(source: string, target: string, options: GlobalOptions): Promise<void> {
  const reference = formatReference(parseReference(target));
  await withStore(options, async (store) => {
    const image = (await findImages(store, source))[0];
    if (image !== undefined) await store.images.tag(reference, image);
  });
}
