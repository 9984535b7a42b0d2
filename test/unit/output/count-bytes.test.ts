import { expect, test } from "vitest";
import { countBytes } from "../../../src/output/count-bytes.ts";

test("chunks pass as they are, and the bytes so far are told before each", async () => {
  const chunks = ["ab", "", "cde"].map((text) => Buffer.from(text));
  const told: number[] = [];
  const passed: Buffer[] = [];
  for await (const chunk of countBytes(chunks, (sizeBytes) => told.push(sizeBytes))) passed.push(chunk);
  expect(passed).toEqual(chunks);
  expect(told).toEqual([2, 2, 5]);
});
