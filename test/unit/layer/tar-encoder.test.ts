import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { NewRow } from "../../../src/layer/layer-writer.ts";
import { encodeTarHeader, paddingAfter } from "../../../src/layer/tar-encoder.ts";

interface GoldenHeader {
  readonly name: string;
  readonly row: NewRow;
  /** Base64 of what Go's archive/tar wrote; `{n}` stands for n times "A". */
  readonly tar: string;
}

const golden = JSON.parse(readFileSync("fixtures/layers/go-headers.json", "utf8")) as readonly GoldenHeader[];

describe("a header has the bytes that Go's archive/tar writes", () => {
  test.each(golden.map((entry) => [entry.name, entry] as const))("%s", (_name, { row, tar }) => {
    const want = Buffer.from(
      tar.replace(/\{(\d+)\}/g, (_match, count) => "A".repeat(Number(count))),
      "base64",
    );
    expect(encodeTarHeader(row).toString("latin1")).toBe(want.toString("latin1"));
  });
});

test("times are cut to whole seconds", () => {
  const row = (golden[0] as GoldenHeader).row;
  expect(encodeTarHeader({ ...row, mtimeNanos: 999_999_999 })).toEqual(encodeTarHeader(row));
});

test.each([
  [0, 0],
  [1, 511],
  [511, 1],
  [512, 0],
  [513, 511],
  [2 ** 33 + 1, 511],
])("a content of %d bytes is padded with %d", (size, padding) => {
  expect(paddingAfter(size)).toBe(padding);
});
