import type { HistoryRow } from "../image/image-config.ts";
import type { HistoryOptions } from "./command-line.ts";
import { formatSize } from "./format-size.ts";
import { formatTable } from "./format-table.ts";
import { formatAge } from "./format-time.ts";
import { findImages, readConfig, shortId, sizeOf } from "./image-rows.ts";
import { withStore } from "./with-store.ts";

const textWidth = 45;

/** `tsbuild history`: one row a step, newest first. */
export async function runHistory(name: string, options: HistoryOptions): Promise<void> {
  const text = await withStore(options, async (store) => {
    const platform = (await findImages(store, name))[0]?.platforms[0];
    if (platform === undefined) return "";
    const config = await readConfig(store, platform.imageId);
    const id = options.trunc ? shortId(platform.imageId) : platform.imageId;
    let layer = 0;
    const rows: string[][] = [];
    for (const row of config.history) {
      const diffId = row.emptyLayer ? undefined : config.diffIds[layer++];
      const sizeBytes = diffId === undefined ? 0 : await sizeOf(store, [diffId]);
      rows.unshift(["<missing>", ageOf(row), clip(row.createdBy, options.trunc), formatSize(sizeBytes), row.comment]);
    }
    if (rows[0] !== undefined) rows[0][0] = id;
    if (options.quiet === true) return rows.map(([image]) => `${image}\n`).join("");
    return formatTable(["IMAGE", "CREATED", "CREATED BY", "SIZE", "COMMENT"], rows);
  });
  process.stdout.write(text);
}

const ageOf = (row: HistoryRow): string =>
  row.created === null ? "N/A" : formatAge((Date.now() - Date.parse(row.created)) / 1000);

function clip(text: string, isClipped: boolean): string {
  const line = text.replaceAll(/\s+/g, " ");
  return isClipped && line.length > textWidth ? `${line.slice(0, textWidth - 1)}…` : line;
}
