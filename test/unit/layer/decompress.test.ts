import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { decompress } from "../../../src/layer/decompress.ts";
import type { ArchiveCompression } from "../../../src/layer/magic.ts";
import { decompressZstd } from "../../../src/layer/zstd.ts";

const all: readonly ArchiveCompression[] = ["gzip", "zstd", "bzip2", "xz"];
const tar = readFileSync("fixtures/layers/hello.tar");
const fixture = (name: string): Buffer => readFileSync(`fixtures/layers/${name}`);

function* cut(bytes: Buffer, size: number): Generator<Buffer, void> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function run(
  bytes: Buffer,
  chunkBytes = 1 << 16,
  allowed = all,
): Promise<{ kind: ArchiveCompression; bytes: Buffer }> {
  const parts: Buffer[] = [];
  const kind = await decompress(cut(bytes, chunkBytes), allowed, (part) => parts.push(Buffer.from(part)));
  return { kind, bytes: Buffer.concat(parts) };
}

describe("every format is told by how it begins", () => {
  test.each([
    ["hello.tar", "none"],
    ["hello.tar.gz", "gzip"],
    ["hello.tar.bz2", "bzip2"],
    ["hello-streams.tar.bz2", "bzip2"],
    ["hello.tar.xz", "xz"],
    ["hello-streams.tar.xz", "xz"],
    ["hello.tar.zst", "zstd"],
    ["hello-frames.tar.zst", "zstd"],
  ])("%s", async (name, kind) => {
    for (const chunkBytes of [1, 100, 1 << 16]) {
      expect(await run(fixture(name), chunkBytes)).toEqual({ kind, bytes: tar });
    }
  });

  test.each(["", "B", "\x1f\x8b", "plain text"])("%j is passed on as it is", async (text) => {
    const bytes = Buffer.from(text, "latin1");
    expect(await run(bytes)).toEqual({ kind: "none", bytes });
  });
});

describe("damaged data is LAYER_MALFORMED", () => {
  const names = ["hello.tar.gz", "hello.tar.bz2", "hello.tar.xz", "hello.tar.zst"];
  test.each(names)("%s, cut off", async (name) => {
    const bytes = fixture(name);
    for (const length of [8, 100, bytes.length - 5]) {
      await expect(run(bytes.subarray(0, length))).rejects.toMatchObject({ code: "LAYER_MALFORMED" });
    }
  });

  test.each(names.slice(0, 3))("%s, with a bit flipped", async (name) => {
    const bytes = Buffer.from(fixture(name));
    const middle = bytes.length >> 1;
    bytes[middle] = (bytes[middle] as number) ^ 4;
    await expect(run(bytes)).rejects.toMatchObject({ code: "LAYER_MALFORMED" });
  });

  test("gzip with garbage behind it", async () => {
    const bytes = Buffer.concat([fixture("hello.tar.gz"), Buffer.alloc(1000, "x")]);
    await expect(run(bytes)).rejects.toMatchObject({ code: "LAYER_MALFORMED" });
  });

  test("a format that is not allowed", async () => {
    await expect(run(fixture("hello.tar.xz"), 100, ["gzip"])).rejects.toMatchObject({ code: "LAYER_MALFORMED" });
  });
});

test.each(["hello.tar", "hello.tar.gz", "hello.tar.bz2", "hello.tar.xz", "hello.tar.zst"])(
  "%s: what the receiver throws ends it, and the source is let go of",
  async (name) => {
    let isReleased = false;
    function* source(): Generator<Buffer, void> {
      try {
        yield* cut(fixture(name), 64);
      } finally {
        isReleased = true;
      }
    }
    const stop = new Error("stop");
    const outcome = decompress(source(), all, () => {
      throw stop;
    });
    await expect(outcome.catch((error: Error) => error === stop || error.cause === stop)).resolves.toBe(true);
    expect(isReleased).toBe(true);
  },
);

test("zstd in plain JavaScript reads what Node's own reads", () => {
  const parts: Buffer[] = [];
  decompressZstd(cut(fixture("hello-frames.tar.zst"), 100), (part) => parts.push(Buffer.from(part)));
  expect(Buffer.concat(parts)).toEqual(tar);
});
