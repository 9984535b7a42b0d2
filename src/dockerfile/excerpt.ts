import type { SourceLocation } from "../base/source-location.ts";

/** Columns of one line, counted from 1 in UTF-16 code units, the end exclusive. */
export interface LineRange {
  readonly line: number;
  readonly startColumn: number;
  readonly endColumn: number;
}

const contextLines = 2;
/** Marked lines shown of a long instruction or heredoc. */
const maxMarkedLines = 12;
const maxLineLength = 160;

/**
 * The lines of a Dockerfile around `location`, each with its number and newline, those of `location` marked with
 * `>>>`. With `range`, carets stand below that part of its line. Control characters are shown as U+FFFD and long lines
 * are cut, so the excerpt is safe to print. "" when the location is not in the text.
 */
export function excerptOf(text: string, location: SourceLocation, range?: LineRange): string {
  const lastMarked = Math.min(location.endLine, location.startLine + maxMarkedLines - 1);
  const first = Math.max(1, location.startLine - contextLines);
  const lines = linesOf(text, first, lastMarked < location.endLine ? lastMarked : lastMarked + contextLines);
  if (lines.length === 0 || first + lines.length <= location.startLine) return "";
  const width = Math.max(4, String(location.endLine + contextLines).length);
  const rows: string[] = [];
  lines.forEach((line, index) => {
    const number = first + index;
    const isMarked = number >= location.startLine && number <= lastMarked;
    rows.push(`${String(number).padStart(width)} | ${isMarked ? ">>>" : "   "} ${toPlain(line)}`.trimEnd());
    if (range?.line === number) rows.push(`${" ".repeat(width)} |     ${carets(line, range)}`);
  });
  const hidden = location.endLine - lastMarked;
  if (hidden > 0) rows.push(`${" ".repeat(width)} | >>> (${hidden} more ${hidden === 1 ? "line" : "lines"})`);
  return rows.map((row) => `${row}\n`).join("");
}

/** Lines `first` to `last` of the text, without their line ends. */
function linesOf(text: string, first: number, last: number): string[] {
  const lines: string[] = [];
  let start = 0;
  for (let number = 1; number <= last && start < text.length; number += 1) {
    const newline = text.indexOf("\n", start);
    const end = newline < 0 ? text.length : newline;
    if (number >= first) lines.push(text.slice(start, end).replace(/\r$/, ""));
    start = end + 1;
  }
  return lines;
}

function toPlain(line: string): string {
  const plain = line
    .slice(0, maxLineLength)
    .replace(/[\0-\x08\x0a-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g, "\ufffd");
  return line.length > maxLineLength ? `${plain}…` : plain;
}

/** Carets below the range; tabs before it are kept so that they stand in the right place. */
function carets(line: string, range: LineRange): string {
  const before = line.slice(0, range.startColumn - 1).slice(0, maxLineLength);
  const end = Math.min(range.endColumn - 1, line.length, maxLineLength);
  return before.replace(/[^\t]/g, " ") + "^".repeat(Math.max(1, end - before.length));
}
