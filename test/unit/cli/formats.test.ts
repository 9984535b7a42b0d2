import { expect, test } from "vitest";
import { formatSize } from "../../../src/cli/format-size.ts";
import { formatTable } from "../../../src/cli/format-table.ts";
import { formatAge } from "../../../src/cli/format-time.ts";
import { toPlainText } from "../../../src/cli/progress/plain-text.ts";

test.each([
  [0, "0B"],
  [999, "999B"],
  [1000, "1kB"],
  [4_268_000, "4.27MB"],
  [124_000_000, "124MB"],
  [1_500_000_000, "1.5GB"],
])("%d bytes are %s", (sizeBytes, text) => {
  expect(formatSize(sizeBytes)).toBe(text);
});

test.each([
  [0, "Less than a second ago"],
  [30, "30 seconds ago"],
  [90, "About a minute ago"],
  [600, "10 minutes ago"],
  [3700, "About an hour ago"],
  [4 * 3600, "4 hours ago"],
  [3 * 86400, "3 days ago"],
  [21 * 86400, "3 weeks ago"],
  [100 * 86400, "3 months ago"],
  [800 * 86400, "2 years ago"],
])("%d seconds are %s", (seconds, text) => {
  expect(formatAge(seconds)).toBe(text);
});

test("columns are as wide as their widest cell", () => {
  expect(formatTable(["A", "LONG"], [["value", "x"]])).toBe("A       LONG\nvalue   x\n");
});

test.each([
  ["colours", "\x1b[31mred\x1b[0m", "red"],
  ["a window title", "\x1b]0;evil\x07text", "text"],
  ["a clipboard write without end", "a\x1b]52;c;ZXZpbA==", "a"],
  ["a progress bar drawn over itself", "10%\r50%\r100%\r", "100%"],
  ["bell, backspace and C1", "a\x07\b\x9bb", "ab"],
  ["tabs stay", "a\tb", "a\tb"],
])("%s", (_, line, text) => {
  expect(toPlainText(line)).toBe(text);
});
