import { expect, test } from "vitest";
import { formatTimestamp, normalizeTimestamp } from "../../../src/image/timestamp.ts";

test.each([
  ["2025-01-01T00:00:00Z", "2025-01-01T00:00:00Z"],
  ["2025-01-01T00:00:00.120Z", "2025-01-01T00:00:00.12Z"],
  ["2025-01-01T00:00:00.000Z", "2025-01-01T00:00:00Z"],
  ["2025-01-01T00:00:00.1234567891234Z", "2025-01-01T00:00:00.123456789Z"],
  ["2025-01-01T00:00:00+02:00", "2025-01-01T00:00:00+02:00"],
  ["2025-01-01T00:00:00+00:00", "2025-01-01T00:00:00Z"],
  ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"],
])("%s reads as %s", (text, normalized) => {
  expect(normalizeTimestamp(text)).toBe(normalized);
});

test.each([
  "",
  "now",
  "2025-01-01",
  "2025-02-30T00:00:00Z",
  "2025-13-01T00:00:00Z",
  "2025-01-01T25:00:00Z",
  "2025-01-01 00:00:00Z",
  "2025-01-01T00:00:00",
  "2025-01-01T00:00:00+25:00",
])("%j is not a time", (text) => {
  expect(normalizeTimestamp(text)).toBeNull();
});

test("milliseconds are written without zeros at the end", () => {
  expect(formatTimestamp(0)).toBe("1970-01-01T00:00:00Z");
  expect(formatTimestamp(1_700_000_000_120)).toBe("2023-11-14T22:13:20.12Z");
});
