import { formatReference, parseNewName } from "../image/reference.ts";
import { chooseImage } from "./choose-images.ts";
import type { GlobalOptions } from "./command-line.ts";
import { withStore } from "./with-store.ts";

/** `tsbuild tag`: one more name for an image. */
export async function runTag(source: string, target: string, options: GlobalOptions): Promise<void> {
  const reference = parseNewName(target);
  await withStore(options, async (store) => {
    const { image } = await chooseImage(store, source);
    await store.images.tag(formatReference(reference), image);
  });
}
