import { encodeName } from "../base/file-name.ts";
import { toPlainText } from "./progress/plain-text.ts";

/** Prints lines that hold file names: byte for byte into a pipe, without what could control a terminal on one. */
export function writeLines(lines: readonly string[]): void {
  if (lines.length === 0) return;
  const isShown = process.stdout.isTTY;
  const text = lines.map((line) => `${isShown ? toPlainText(line).replaceAll("\n", "?") : line}\n`).join("");
  process.stdout.write(encodeName(text));
}

/** Prints text with lines of others in it: as it is into a pipe, without what could control a terminal on one. */
export function writeText(text: string): void {
  process.stdout.write(process.stdout.isTTY ? text.split("\n").map(toPlainText).join("\n") : text);
}
