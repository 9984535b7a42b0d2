import { formatReference, parseReference } from "../image/reference.ts";
import type { BlobStore } from "../store/blob-store.ts";
import type { ImageStore } from "../store/image-store.ts";
import type { Output, PlatformImage } from "./output.ts";

/** Tags images in the store. Nothing is compressed and no manifest is made: that waits until they leave the machine. */
export function imageStoreOutput(
  names: readonly string[],
  images: ImageStore,
  blobs: BlobStore,
  nowMs: () => number,
): Output {
  return {
    async write(built) {
      for (const image of built) await blobs.putBytes(image.config);
      const references = names.length === 0 ? [] : names.map((name) => formatReference(parseReference(name)));
      const createdAtMs = Math.floor(nowMs());
      for (const reference of references)
        await images.tag(reference, { platforms: built.map(storedForm), createdAtMs, manifests: [] });
      const ids = built.map(({ imageId }) => imageId).join(", ");
      const tagged = references.length === 0 ? "" : ` as ${references.join(", ")}`;
      return { manifest: null, summary: `stored ${ids}${tagged}` };
    },
  };
}

const storedForm = ({ platform, imageId, diffIds, annotations }: PlatformImage) => ({
  platform,
  imageId,
  diffIds,
  annotations,
});
