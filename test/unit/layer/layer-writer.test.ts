import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { digestOf } from "../../../src/base/digest.ts";
import { readerOf } from "../../../src/layer/file-readers.ts";
import type { FileReader } from "../../../src/layer/file-tree.ts";
import { readLayerIndex } from "../../../src/layer/layer-index.ts";
import { openLayerWriter } from "../../../src/layer/layer-writer.ts";
import { dir, file, hardlink, makeLayer, symlink } from "../../support/layer-builder.ts";
import { useTemporaryDirectory } from "../../support/temporary-directory.ts";

const temporary = useTemporaryDirectory();
const sha256 = (bytes: Uint8Array): string => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

test("a layer without entries is two zero blocks", () => {
  const packed = openLayerWriter(temporary.path, { keepTar: true }).finish();
  expect(packed).toEqual({
    diffId: "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef",
    sizeBytes: 1024,
  });
  expect(readFileSync(join(temporary.path, "tar"))).toEqual(Buffer.alloc(1024));
  expect([...readLayerIndex(join(temporary.path, "index"))]).toEqual([]);
});

test("the diffID is the digest of the tar, and contents lie where the index says", () => {
  const big = Buffer.alloc(3_000_001, "0123456789");
  const layer = makeLayer(temporary.path, [dir("d"), file("d/big", big), file("d/small", "hello"), file("empty")]);
  const tar = readFileSync(join(temporary.path, "tar"));
  expect(layer.diffId).toBe(sha256(tar));
  expect(tar.length % 512).toBe(0);
  for (const row of readLayerIndex(layer.indexFile)) {
    if (row.type !== "file") continue;
    const content = tar.subarray(row.offset as number, (row.offset as number) + row.size);
    expect([row.path, row.digest]).toEqual([row.path, sha256(content)]);
  }
});

test("without keepTar the same diffID comes out and no tar is written", () => {
  const kept = makeLayer(join(temporary.path, "kept"), [file("a", "hello"), symlink("b", "a")]);
  const items = [file("a", "hello"), symlink("b", "a")];
  const writer = openLayerWriter(temporary.path, { keepTar: false });
  for (const { row, content } of items) writer.add(row, content === null ? null : readerOf(content));
  expect(writer.finish().diffId).toBe(kept.diffId);
  expect(existsSync(join(temporary.path, "tar"))).toBe(false);
});

describe("a content that is not what its row says is refused", () => {
  const five = file("f", "12345").row;
  const trickle = (text: string): FileReader => {
    const bytes = Buffer.from(text);
    let at = 0;
    return {
      read(into) {
        if (at === bytes.length) return 0;
        into[0] = bytes[at++] as number;
        return 1;
      },
      close() {},
    };
  };
  test.each([
    ["shorter", trickle("1234"), "CONTEXT_FILE_CHANGED"],
    ["longer", trickle("123456"), "CONTEXT_FILE_CHANGED"],
    ["another digest", { ...readerOf(Buffer.from("12345")), digest: digestOf("other") }, "BLOB_DIGEST_MISMATCH"],
  ])("%s", (_name, content, code) => {
    const writer = openLayerWriter(temporary.path, { keepTar: true });
    expect(() => writer.add(five, content)).toThrow(expect.objectContaining({ code }));
    writer.abandon();
  });

  test("and closed in any case; one that comes byte by byte is fine", () => {
    const closed: string[] = [];
    const writer = openLayerWriter(temporary.path, { keepTar: true });
    const good = { ...trickle("12345"), close: () => closed.push("good") };
    const bad = { ...trickle("1"), close: () => closed.push("bad") };
    writer.add(five, good);
    expect(() => writer.add({ ...five, path: "g" }, bad)).toThrow();
    writer.abandon();
    expect(closed).toEqual(["good", "bad"]);
  });
});

test("rows out of order are a bug of the caller", () => {
  const writer = openLayerWriter(temporary.path, { keepTar: false });
  writer.add(dir("b").row, null);
  expect(() => writer.add(dir("a").row, null)).toThrow(expect.objectContaining({ code: "INTERNAL" }));
  expect(() => writer.add(dir("b").row, null)).toThrow(expect.objectContaining({ code: "INTERNAL" }));
  writer.abandon();
});

test("the index knows the names of linked files", () => {
  const layer = makeLayer(temporary.path, [file("a", "x"), hardlink("b", "a"), hardlink("c", "a"), file("d", "x")]);
  const index = readLayerIndex(layer.indexFile);
  expect(index.linkedNames("b")).toEqual(["a", "b", "c"]);
  expect(index.linkedNames("a")).toEqual(["a", "b", "c"]);
  expect(index.linkedNames("d")).toBeNull();
});
