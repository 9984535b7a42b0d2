import { type DiskUsage, measureStore } from "../store/disk-usage.ts";
import type { Store } from "../store/open-store.ts";
import { formatRows } from "./format-rows.ts";
import { formatSize } from "./format-size.ts";
import { formatAge } from "./format-time.ts";
import { findUniqueLayers, LayerSizes, listImageRows, repositoryOf, shortId } from "./image-rows.ts";
import type { DuOptions } from "./store-commands.ts";
import { jsonOfValue } from "./template/print-value.ts";
import { structOf, type TemplateStruct } from "./template/template-value.ts";
import { withStore } from "./with-store.ts";
import { writeText } from "./write-lines.ts";

const descriptionWidth = 60;
const headings = { TotalCount: "COUNT", ID: "IMAGE ID", SharedSize: "SHARED SIZE", UniqueSize: "UNIQUE SIZE" };
const kindColumns = "{{.Type}}\t{{.TotalCount}}\t{{.Size}}\t{{.Reclaimable}}";
const imageColumns = "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.Created}}\t{{.Size}}\t{{.SharedSize}}\t{{.UniqueSize}}";
const layerColumns = "{{.Layer}}\t{{.Size}}\t{{.Images}}\t{{.Kept}}\t{{.LastUsed}}\t{{.MadeBy}}";
const layerHeadings = { Images: "IMAGES", Kept: "KEPT FOR", LastUsed: "LAST USED", MadeBy: "MADE BY" };
const recordColumns = "{{.Type}}\t{{.Size}}\t{{.SharedSize}}\t{{.UniqueSize}}\t{{.LastUsed}}\t{{.Description}}";

/** `tsbuild du`: what the store takes, by kind; with -v every image, layer and cache record too. */
export async function runDu(options: DuOptions): Promise<void> {
  const { usage, images } = await withStore(options, async (store) => ({
    usage: await measureStore(store),
    images: options.verbose === true ? await describeImages(store) : [],
  }));
  const kinds = usage.kinds.map(({ kind, count, sizeBytes, reclaimableBytes }) =>
    structOf({
      Type: kind,
      TotalCount: count,
      Size: formatSize(sizeBytes),
      Reclaimable: formatSize(reclaimableBytes),
    }),
  );
  if (options.verbose === true) writeText(formatDetails(usage, images, kinds, options.format));
  else writeText(formatRows(options.format, kinds, kindColumns, headings));
  if (options.format !== undefined) return;
  process.stdout.write(
    `\nTotal ${formatSize(usage.sizeBytes)}, "tsbuild prune --all" frees ${formatSize(usage.reclaimableBytes)}\n`,
  );
}

function formatDetails(
  usage: DiskUsage,
  images: readonly TemplateStruct[],
  kinds: readonly TemplateStruct[],
  format: string | undefined,
): string {
  const layers = usage.layers.map((layer) =>
    structOf({
      Layer: layer.diffId.slice("sha256:".length, "sha256:".length + 12),
      Size: formatSize(layer.sizeBytes),
      Images: layer.imageCount,
      Kept: layer.isInImage ? "image" : "cache",
      LastUsed: layer.usedAtMs === null ? "" : ageOf(layer.usedAtMs),
      MadeBy: clip(layer.description),
    }),
  );
  const records = [...usage.records]
    .sort((a, b) => b.usedAtMs - a.usedAtMs)
    .map(({ kind, description, sizeBytes, uniqueBytes, usedAtMs }) =>
      structOf({
        Type: kind,
        Size: formatSize(sizeBytes),
        SharedSize: formatSize(sizeBytes - uniqueBytes),
        UniqueSize: formatSize(uniqueBytes),
        LastUsed: ageOf(usedAtMs),
        Description: clip(description),
      }),
    );
  const all = structOf({ Images: images, Layers: layers, Cache: records, Kinds: kinds });
  if (format === "json") return `${jsonOfValue(all)}\n`;
  if (format !== undefined && format !== "table") return formatRows(format, [all], "", {});
  return [
    formatRows("table", images, imageColumns, headings),
    formatRows("table", layers, layerColumns, layerHeadings),
    formatRows("table", records, recordColumns, { ...headings, ...layerHeadings, Type: "RECORD" }),
    formatRows("table", kinds, kindColumns, headings),
  ].join("\n");
}

/** Images by name, as docker's `system df -v` has them. */
async function describeImages(store: Store): Promise<readonly TemplateStruct[]> {
  const rows = await listImageRows(store);
  const unique = findUniqueLayers(rows.map(({ platform }) => platform));
  const sizes = new LayerSizes(store);
  return Promise.all(
    rows.map(async ({ reference, platform, createdAtMs }) => {
      const sizeBytes = await sizes.sum(platform.diffIds);
      const uniqueBytes = await sizes.sum(unique.get(platform.imageId) ?? []);
      return structOf({
        Repository: repositoryOf(reference),
        Tag: reference.tag ?? "<none>",
        ID: shortId(platform.imageId),
        Created: createdAtMs === null ? "N/A" : ageOf(createdAtMs),
        Size: formatSize(sizeBytes),
        SharedSize: formatSize(sizeBytes - uniqueBytes),
        UniqueSize: formatSize(uniqueBytes),
      });
    }),
  );
}

const ageOf = (atMs: number): string => formatAge((Date.now() - atMs) / 1000);

const clip = (text: string): string => text.replaceAll(/\s+/g, " ").slice(0, descriptionWidth);
