import type { DiffId, Digest } from "../base/digest.ts";
import type { HistoryRow } from "../image/image-config.ts";
import { chooseImage, choosePlatform } from "./choose-images.ts";
import { formatRows } from "./format-rows.ts";
import { formatSize } from "./format-size.ts";
import { formatAge } from "./format-time.ts";
import type { HistoryOptions } from "./image-commands.ts";
import { LayerSizes, readConfig, shortId } from "./image-rows.ts";
import { structOf, type TemplateStruct } from "./template/template-value.ts";
import { withStore } from "./with-store.ts";
import { writeText } from "./write-lines.ts";

const textWidth = 45;
const headings = { ID: "IMAGE", CreatedSince: "CREATED", CreatedAt: "CREATED AT", CreatedBy: "CREATED BY" };

/** `tsbuild history`: one row a step, newest first. */
export async function runHistory(name: string, options: HistoryOptions): Promise<void> {
  const text = await withStore(options, async (store) => {
    const { image } = await chooseImage(store, name);
    const { imageId } = choosePlatform(image, options.platform);
    const config = await readConfig(store, imageId);
    const sizes = new LayerSizes(store);
    const steps = layersOfSteps(config.history, config.diffIds);
    const sizesBytes = await Promise.all(steps.map(async ({ diffId }) => (diffId === null ? 0 : sizes.of(diffId))));
    const rows = steps
      .map(({ step }, at) => describe(step, at === steps.length - 1 ? imageId : null, sizesBytes[at] ?? 0, options))
      .reverse();
    if (options.quiet === true) return rows.map(({ fields }) => `${fields.get("ID")}\n`).join("");
    const created = options.human ? "{{.CreatedSince}}" : "{{.CreatedAt}}";
    const columns = `{{.ID}}\t${created}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}`;
    return formatRows(options.format, rows, columns, headings);
  });
  writeText(text);
}

/** Which layer each step made; null for those that made none. */
function layersOfSteps(
  history: readonly HistoryRow[],
  diffIds: readonly DiffId[],
): readonly { readonly step: HistoryRow; readonly diffId: DiffId | null }[] {
  let layer = 0;
  return history.map((step) => ({ step, diffId: step.emptyLayer ? null : (diffIds[layer++] ?? null) }));
}

/** What `--format` sees of a step, with docker's names. */
function describe(
  step: HistoryRow,
  imageId: Digest | null,
  sizeBytes: number,
  options: HistoryOptions,
): TemplateStruct {
  const id = imageId === null ? "<missing>" : options.trunc ? shortId(imageId) : imageId;
  const createdAtMs = step.created === null ? null : Date.parse(step.created);
  return structOf({
    Comment: step.comment,
    CreatedAt: createdAtMs === null ? "N/A" : `${new Date(createdAtMs).toISOString().slice(0, 19)}Z`,
    CreatedBy: clip(step.createdBy, options.trunc),
    CreatedSince: createdAtMs === null ? "N/A" : formatAge((Date.now() - createdAtMs) / 1000),
    ID: id,
    Size: options.human ? formatSize(sizeBytes) : String(sizeBytes),
  });
}

function clip(text: string, isClipped: boolean): string {
  const line = text.replaceAll(/\s+/g, " ");
  return isClipped && line.length > textWidth ? `${line.slice(0, textWidth - 1)}…` : line;
}
