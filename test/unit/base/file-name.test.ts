import fc from "fast-check";
import { expect, test } from "vitest";
import { compareNames, decodeName, encodeName } from "../../../src/base/file-name.ts";

test("a name of any bytes comes back as it was", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      expect(encodeName(decodeName(bytes)).equals(Buffer.from(bytes))).toBe(true);
    }),
  );
});

test("names of different bytes are different strings, also after JSON", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 8 }), fc.uint8Array({ maxLength: 8 }), (a, b) => {
      const viaJson = JSON.parse(JSON.stringify(decodeName(a)));
      expect(viaJson === decodeName(b)).toBe(Buffer.compare(a, b) === 0);
    }),
  );
});

test.each([
  ["plain text", Buffer.from("naïve.txt"), "naïve.txt"],
  ["a byte that is not UTF-8", Buffer.from([0x61, 0xff]), "a\udcff"],
  ["an encoded surrogate", Buffer.from([0xed, 0xa0, 0x80]), "\udced\udca0\udc80"],
  ["a byte order mark", Buffer.from([0xef, 0xbb, 0xbf, 0x61]), "\ufeffa"],
])("%s", (_, bytes, text) => {
  expect(decodeName(bytes)).toBe(text);
});

test("names sort by their bytes", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 6 }), fc.uint8Array({ maxLength: 6 }), (a, b) => {
      expect(Math.sign(compareNames(decodeName(a), decodeName(b)))).toBe(Buffer.compare(a, b));
    }),
  );
  expect(compareNames("\u{1f600}", "\uffee")).toBe(1);
});
