import { expect, test } from "vitest";
import { formatDuration, formatList, formatQuotedList } from "../../../src/plan/go-format.ts";

test.each<[readonly string[], string]>([
  [[], "[]"],
  [["a", "b c"], '["a" "b c"]'],
  [['"', "\\"], '["\\"" "\\\\"]'],
  [["\x07\b\f\n\r\t\v"], '["\\a\\b\\f\\n\\r\\t\\v"]'],
  [["\0\x1b\x7f"], '["\\x00\\x1b\\x7f"]'],
  [["é日😀"], '["é日😀"]'],
  [["\u00a0\u200b\ufeff"], '["\\u00a0\\u200b\\ufeff"]'],
  [["\u{e0001}"], '["\\U000e0001"]'],
])("%j is quoted as Go does", (list, text) => {
  expect(formatQuotedList(list)).toBe(text);
});

test("a plain list has no quotes", () => {
  expect(formatList(["a b", "c"])).toBe("[a b c]");
});

test.each([
  [0, "0s"],
  [999, "999ns"],
  [1500, "1.5µs"],
  [500e6, "500ms"],
  [1e9, "1s"],
  [1.5e9, "1.5s"],
  [90e9, "1m30s"],
  [3600e9, "1h0m0s"],
  [3661.25e9, "1h1m1.25s"],
])("%d ns is %s", (nanoseconds, text) => {
  expect(formatDuration(nanoseconds)).toBe(text);
});
