const units = ["B", "kB", "MB", "GB", "TB"] as const;

/** `wrote app.tar (12.3 MB)`. */
export function writtenSummary(destination: string, sizeBytes: number): string {
  return `wrote ${destination === "-" ? "to standard output" : destination} (${readableSize(sizeBytes)})`;
}

/** Decimal units, as docker prints sizes. */
function readableSize(sizeBytes: number): string {
  let size = sizeBytes;
  let unit = 0;
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? size : size.toFixed(1)} ${units[unit]}`;
}
