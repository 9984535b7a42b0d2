/**
 * Rows under headings, in columns as wide as their widest cell and three spaces, `narrowest` at least; no trailing white
 * space.
 */
export function formatTable(headings: readonly string[], rows: readonly (readonly string[])[], narrowest = 0): string {
  const lines = [headings, ...rows];
  const widths = headings.map((_, column) =>
    lines.reduce((width, line) => Math.max(width, (line[column] ?? "").length + 3), narrowest),
  );
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("")
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join("");
}
