import { formatPlatform } from "../image/platform.ts";
import { familiarReference, parseReference } from "../image/reference.ts";
import type { GlobalOptions } from "./command-line.ts";
import { findImages, sizeOf } from "./image-rows.ts";
import { withStore } from "./with-store.ts";

/** `tsbuild inspect`: an array with an object for each image and platform, with the names docker gives the fields. */
export async function runInspect(names: readonly string[], options: GlobalOptions): Promise<void> {
  const described = await withStore(options, async (store) => {
    const all = await store.images.list();
    const found = (await Promise.all(names.map((name) => findImages(store, name)))).map((images) => images[0]);
    const objects = found.flatMap((image) =>
      (image?.platforms ?? []).map(async ({ platform, imageId, diffIds, annotations }) => {
        const config = JSON.parse(Buffer.from(await store.blobs.readBytes(imageId, 4 << 20)).toString("utf8"));
        const tags = all.filter((other) => other.platforms.some((one) => one.imageId === imageId));
        return {
          Id: imageId,
          RepoTags: tags.map(({ reference }) => familiarReference(parseReference(reference))),
          RepoDigests: image?.manifests ?? [],
          Created: config.created,
          Author: config.author ?? "",
          Architecture: config.architecture,
          Variant: config.variant,
          Os: config.os,
          Platform: formatPlatform(platform),
          Config: config.config,
          RootFS: { Type: "layers", Layers: diffIds },
          Size: await sizeOf(store, diffIds),
          Annotations: Object.fromEntries(annotations),
        };
      }),
    );
    return Promise.all(objects);
  });
  process.stdout.write(`${JSON.stringify(described, null, 4)}\n`);
}
