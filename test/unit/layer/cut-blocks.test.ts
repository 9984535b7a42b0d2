import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { cutBlocks, largestBlock } from "../../../src/layer/cut-blocks.ts";
import { file, type LayerItem, makeLayer } from "../../support/layer-builder.ts";
import { useTemporaryDirectory } from "../../support/temporary-directory.ts";

const temporary = useTemporaryDirectory();

async function cut(chunks: readonly Uint8Array[]): Promise<readonly Buffer[]> {
  const blocks: Buffer[] = [];
  for await (const block of cutBlocks(chunks, () => new Uint8Array(largestBlock))) blocks.push(Buffer.from(block));
  return blocks;
}

let layers = 0;
function tarOf(items: readonly LayerItem[]): Buffer {
  layers += 1;
  return readFileSync(makeLayer(join(temporary.path, `${layers}`), items).tarFile as string);
}

const noise = randomBytes(40_000);
const tree = Array.from({ length: 1500 }, (_, at) => file(`f${at}`, noise.subarray(at, at + 6000)));

test.each<[string, () => Buffer]>([
  ["nothing", () => Buffer.alloc(0)],
  ["less than a block", () => tarOf([file("a", "a")])],
  ["a tree of small files", () => tarOf(tree)],
  ["a large file", () => tarOf([file("large", Buffer.alloc(5_000_000, "x")), file("small", "x")])],
  ["what is no tar", () => Buffer.alloc(4_999_999, "ustar")],
])("%s is cut into blocks that are not too large, and together are what they were", async (_name, make) => {
  const bytes = make();
  const blocks = await cut([bytes]);
  expect(Buffer.concat(blocks).equals(bytes)).toBe(true);
  for (const block of blocks) expect(block.length).toBeLessThanOrEqual(largestBlock);
  for (const block of blocks.slice(0, -1)) expect(block.length).toBeGreaterThanOrEqual(700_000);
});

test("how the bytes come makes no difference", async () => {
  const bytes = tarOf(tree);
  const want = (await cut([bytes])).map(({ length }) => length);
  for (const size of [777, 65_536, 3_000_000]) {
    const chunks: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size));
    expect((await cut(chunks)).map(({ length }) => length)).toEqual(want);
  }
});

test("blocks begin where headers do, so that a file more leaves the ones behind it as they are", async () => {
  const before = await cut([tarOf(tree)]);
  const after = await cut([tarOf([...tree, file("f0a", noise)])]);
  const known = new Set(before.map((block) => block.toString("latin1")));
  expect(before.length).toBeGreaterThan(5);
  expect(after.filter((block) => !known.has(block.toString("latin1"))).length).toBeLessThanOrEqual(2);
});
