import { familiarReference, parseReference } from "../image/reference.ts";
import type { ImagesOptions } from "./command-line.ts";
import { formatSize } from "./format-size.ts";
import { formatTable } from "./format-table.ts";
import { formatAge } from "./format-time.ts";
import { shortId, sizeOf } from "./image-rows.ts";
import { withStore } from "./with-store.ts";

/** `tsbuild images`: a row for each tag and platform, newest first. */
export async function runImages(repository: string | undefined, options: ImagesOptions): Promise<void> {
  const wanted = repository === undefined ? null : parseReference(repository);
  const text = await withStore(options, async (store) => {
    const images = (await store.images.list())
      .map((image) => ({ ...image, parsed: parseReference(image.reference) }))
      .filter(({ parsed }) => wanted === null || sameRepository(parsed, wanted, repository?.includes(":") === true))
      .sort((a, b) => b.createdAtMs - a.createdAtMs);
    const rows = images.flatMap((image) => image.platforms.map((platform) => ({ image, platform })));
    if (options.quiet === true) {
      const ids = rows.map(({ platform }) => (options.trunc ? shortId(platform.imageId) : platform.imageId));
      return [...new Set(ids)].map((id) => `${id}\n`).join("");
    }
    const digestHeading = options.digests === true ? ["DIGEST"] : [];
    const cells = rows.map(async ({ image, platform }) => [
      familiarReference({ ...image.parsed, tag: null, digest: null }),
      image.parsed.tag ?? "<none>",
      ...(options.digests === true ? [image.manifests[0] ?? "<none>"] : []),
      options.trunc ? shortId(platform.imageId) : platform.imageId,
      formatAge((Date.now() - image.createdAtMs) / 1000),
      formatSize(await sizeOf(store, platform.diffIds)),
    ]);
    return formatTable(
      ["REPOSITORY", "TAG", ...digestHeading, "IMAGE ID", "CREATED", "SIZE"],
      await Promise.all(cells),
    );
  });
  process.stdout.write(text);
}

type Parsed = ReturnType<typeof parseReference>;

const sameRepository = (image: Parsed, wanted: Parsed, tagMatters: boolean): boolean =>
  image.registry === wanted.registry &&
  image.repository === wanted.repository &&
  (!tagMatters || image.tag === wanted.tag);
