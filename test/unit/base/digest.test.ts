import { describe, expect, test } from "vitest";
import { asDiffId, chainIdOf, digestOf, hexOf, parseDiffId, parseDigest } from "../../../src/base/digest.ts";

const hex = "a".repeat(64);

describe("parseDigest", () => {
  test("takes sha256 and 64 lower-case hex digits", () => {
    expect(parseDigest(`sha256:${hex}`)).toBe(`sha256:${hex}`);
  });

  test.each([
    ["a path", "sha256:../../etc/passwd"],
    ["63 digits", `sha256:${hex.slice(1)}`],
    ["upper case", `sha256:${hex.toUpperCase()}`],
    ["another algorithm", `md5:${hex}`],
    ["a trailing NUL", `sha256:${hex}\0`],
    ["a trailing newline", `sha256:${hex}\n`],
    ["no text", 7],
  ])("refuses %s", (_, text) => {
    expect(() => parseDigest(text)).toThrow(expect.objectContaining({ code: "BLOB_DIGEST_INVALID" }));
  });
});

test("digestOf is the sha256 of the bytes", () => {
  expect(digestOf("")).toBe("sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  expect(hexOf(digestOf(Buffer.from("abc")))).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
});

test("the chainID of one layer is its diffID, of more a digest over the chain", () => {
  const first = parseDiffId(`sha256:${"1".repeat(64)}`);
  const second = parseDiffId(`sha256:${"2".repeat(64)}`);
  expect(chainIdOf([first])).toBe(first);
  expect(chainIdOf([first, second])).toBe(digestOf(`${first} ${second}`));
  expect(asDiffId(digestOf("x"))).toBe(digestOf("x"));
});
