import { randomBytes } from "node:crypto";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import type { TaskRunner } from "../../../src/base/task.ts";
import { compressBlock, compressBlockTask } from "../../../src/layer/compress-block.ts";
import { type BlockFormat, compressBlocks, noBlocks, withLevel } from "../../../src/layer/compress-blocks.ts";
import { compressZstd } from "../../../src/layer/zstd.ts";
import { bindTask, functionRunner } from "../../support/function-runner.ts";

const runner = functionRunner(bindTask(compressBlockTask, compressBlock));
const gzip = withLevel("gzip", null);

async function compressed(chunks: readonly Uint8Array[], parallel = 2, format: BlockFormat = gzip): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const { bytes } of compressBlocks(chunks, format, noBlocks, runner, parallel))
    parts.push(Buffer.from(bytes));
  return Buffer.concat(parts);
}

const text = Buffer.alloc(3_500_000, "The quick brown fox. ");
const noise = randomBytes(2_200_000);

describe("gzip", () => {
  test.each<[string, Buffer]>([
    ["nothing", Buffer.alloc(0)],
    ["one byte", Buffer.from("x")],
    ["exactly one block", text.subarray(0, 1 << 20)],
    ["one block and a byte", text.subarray(0, (1 << 20) + 1)],
    ["several blocks", text],
    ["what does not compress", noise],
  ])("%s comes back", async (_name, bytes) => {
    const result = await compressed([bytes]);
    expect(gunzipSync(result).equals(bytes)).toBe(true);
    expect(result.toString("hex", 0, 10)).toBe("1f8b08000000000000ff");
  });

  test("the bytes depend neither on the number of threads nor on the chunks", async () => {
    const want = await compressed([text]);
    for (const parallel of [1, 3, 16]) expect((await compressed([text], parallel)).equals(want)).toBe(true);
    const chunks = [text.subarray(0, 1), text.subarray(1, 1), text.subarray(1, 2_000_000), text.subarray(2_000_000)];
    expect((await compressed(chunks)).equals(want)).toBe(true);
  });

  test("the level counts", async () => {
    const sizes = await Promise.all(
      [1, 9].map(async (level) => (await compressed([text], 2, { compression: "gzip", level })).length),
    );
    expect(sizes[1]).toBeLessThan(sizes[0] as number);
  });
});

test("zstd comes as frames, or is refused by a Node that has none", async () => {
  const attempt = compressed([text], 2, withLevel("zstd", null));
  if (compressZstd === null) await expect(attempt).rejects.toMatchObject({ code: "EXPORT_UNSUPPORTED" });
  else expect((await attempt).toString("hex", 0, 4)).toBe("28b52ffd");
});

test("not more blocks are read ahead than may run", async () => {
  let started = 0;
  let finished = 0;
  let most = 0;
  const counting: TaskRunner = {
    async run(task, input) {
      started += 1;
      most = Math.max(most, started - finished);
      await new Promise((resolve) => setImmediate(resolve));
      const result = await runner.run(task, input);
      finished += 1;
      return result;
    },
  };
  for await (const _part of compressBlocks([text, text, text], gzip, noBlocks, counting, 3));
  expect([started, finished]).toEqual([6, 6]);
  expect(most).toBeLessThanOrEqual(3);
});

test("a failing block fails all, once", async () => {
  let calls = 0;
  const failing: TaskRunner = {
    run: async () => {
      calls += 1;
      throw new Error(`block ${calls}`);
    },
  };
  const all = async (): Promise<void> => {
    for await (const _part of compressBlocks([text], gzip, noBlocks, failing, 4));
  };
  await expect(all()).rejects.toThrow("block 1");
});
