import { BuildError } from "../base/errors.ts";
import { formatReference, parseReference } from "../image/reference.ts";
import { chooseImage } from "./choose-images.ts";
import type { GlobalOptions } from "./command-line.ts";
import { withStore } from "./with-store.ts";

/** `tsbuild tag`: one more name for an image. */
export async function runTag(source: string, target: string, options: GlobalOptions): Promise<void> {
  const reference = parseReference(target);
  if (reference.digest !== null)
    throw new BuildError("REFERENCE_INVALID", `tag ${JSON.stringify(target)}: a digest cannot be given to an image`);
  await withStore(options, async (store) => {
    const { image } = await chooseImage(store, source);
    await store.images.tag(formatReference(reference), image);
  });
}
