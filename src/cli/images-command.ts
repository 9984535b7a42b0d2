import { formatPlatform } from "../image/platform.ts";
import { formatRows } from "./format-rows.ts";
import { formatSize } from "./format-size.ts";
import { formatAge, formatMoment } from "./format-time.ts";
import type { ImagesOptions } from "./image-commands.ts";
import { parseImageFilters, referenceFilter } from "./image-filter.ts";
import { findUniqueLayers, type ImageRow, LayerSizes, listImageRows, repositoryOf, shortId } from "./image-rows.ts";
import { structOf, type TemplateStruct } from "./template/template-value.ts";
import { withStore } from "./with-store.ts";
import { writeText } from "./write-lines.ts";

const headings = {
  ID: "IMAGE ID",
  CreatedSince: "CREATED",
  CreatedAt: "CREATED AT",
  SharedSize: "SHARED SIZE",
  UniqueSize: "UNIQUE SIZE",
};

/** `tsbuild images`: a row for each tag and platform, newest first. */
export async function runImages(repository: string | undefined, options: ImagesOptions): Promise<void> {
  const text = await withStore(options, async (store) => {
    const isWanted = await parseImageFilters(options.filter, store, Date.now());
    const isNamed = repository === undefined ? () => true : referenceFilter(repository);
    const all = await listImageRows(store);
    const rows = all.filter((row) => isNamed(row) && isWanted(row));
    if (options.quiet === true) {
      const ids = rows.map(({ platform }) => (options.trunc ? shortId(platform.imageId) : platform.imageId));
      return [...new Set(ids)].map((id) => `${id}\n`).join("");
    }
    const sizes = new LayerSizes(store);
    const unique = findUniqueLayers(all.map(({ platform }) => platform));
    const cells = rows.map(async (row) => {
      const sizeBytes = await sizes.sum(row.platform.diffIds);
      const uniqueBytes = await sizes.sum(unique.get(row.platform.imageId) ?? []);
      return describe(row, sizeBytes, uniqueBytes, options.trunc);
    });
    const digest = options.digests === true ? "{{.Digest}}\t" : "";
    const columns = `{{.Repository}}\t{{.Tag}}\t${digest}{{.ID}}\t{{.CreatedSince}}\t{{.Size}}`;
    return formatRows(options.format, await Promise.all(cells), columns, headings);
  });
  writeText(text);
}

/** What `--format` sees of a row, with docker's names. */
function describe(row: ImageRow, sizeBytes: number, uniqueBytes: number, isCut: boolean): TemplateStruct {
  const { image, reference, platform, createdAtMs } = row;
  return structOf({
    Containers: "N/A",
    CreatedAt: createdAtMs === null ? "N/A" : formatMoment(createdAtMs),
    CreatedSince: createdAtMs === null ? "N/A" : formatAge((Date.now() - createdAtMs) / 1000),
    Digest: image.manifests[0] ?? "<none>",
    ID: isCut ? shortId(platform.imageId) : platform.imageId,
    Platform: formatPlatform(platform.platform),
    Repository: repositoryOf(reference),
    SharedSize: formatSize(sizeBytes - uniqueBytes),
    Size: formatSize(sizeBytes),
    Tag: reference.tag ?? "<none>",
    UniqueSize: formatSize(uniqueBytes),
  });
}
