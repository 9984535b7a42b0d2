const sequences = new RegExp(
  [
    "\\u001b\\[[0-?]*[ -/]*[@-~]", // CSI: colours, cursor movement
    "\\u001b[\\]PX^_][^\\u0007\\u001b]*(?:\\u0007|\\u001b\\\\)?", // OSC, DCS and the like: titles, clipboard
    "\\u001b.?", // two-character sequences
    "[\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f]", // what is left of C0 (but tab and newline), DEL, C1
  ].join("|"),
  "gs",
);

/**
 * A step's output line that can do nothing to a terminal: escape sequences and control characters are removed, tabs kept.
 * A line that was overwritten with carriage returns shows what was written last.
 */
export function toPlainText(line: string): string {
  const lastWritten = line.replace(/\r+$/, "").split("\r").at(-1) ?? "";
  return lastWritten.replace(sequences, "");
}
