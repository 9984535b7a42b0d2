const units = ["B", "kB", "MB", "GB", "TB"] as const;

/** A size as docker prints it: decimal units, three significant digits: `4.27MB`. */
export function formatSize(sizeBytes: number): string {
  let value = sizeBytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = Number(value.toPrecision(3));
  return `${digits}${units[unit]}`;
}
