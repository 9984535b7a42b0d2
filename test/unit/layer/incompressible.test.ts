import { randomBytes } from "node:crypto";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { compressBlock, largestResult } from "../../../src/layer/compress-block.ts";
import { isIncompressible } from "../../../src/layer/incompressible.ts";

const size = 1 << 20;
const noise = randomBytes(size);
const text = Buffer.alloc(size, "The quick brown fox. ");
const words = Buffer.from(randomBytes(size / 2).toString("hex"));

test.each<[string, Buffer, boolean]>([
  ["noise", noise, true],
  ["what was compressed", gzipSync(words).subarray(0, size / 4), true],
  ["text", text, false],
  ["hexadecimal digits", words, false],
  ["the same noise over and over", Buffer.alloc(size, noise.subarray(0, 10_000)), false],
  ["noise with text around it", Buffer.concat([text.subarray(0, size / 4), noise, text.subarray(0, size / 4)]), false],
  ["noise that is short", noise.subarray(0, 5000), false],
  ["nothing", Buffer.alloc(0), false],
])("%s", (_name, block, want) => {
  expect(isIncompressible(block)).toBe(want);
});

test("what does not compress is stored, and takes a thousandth more", () => {
  const into = new Uint8Array(largestResult(size));
  const { size: got } = compressBlock({ compression: "gzip", level: 9, block: noise, into });
  expect(got).toBeGreaterThan(size);
  expect(got).toBeLessThan(1.001 * size);
});
