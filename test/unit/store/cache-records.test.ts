import { readFileSync, renameSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { beforeEach, describe, expect, test } from "vitest";
import { type CacheKey, digestOf, parseCacheKey, parseDiffId } from "../../../src/base/digest.ts";
import { type CacheRecord, CacheRecords } from "../../../src/store/cache-records.ts";
import { useStore } from "../../support/use-store.ts";

const stores = useStore();
const keyOf = (text: string): CacheKey => parseCacheKey(digestOf(text));
const diffId = parseDiffId(digestOf("layer"));
const key = keyOf("step");
const record: CacheRecord = {
  key,
  layers: [{ diffId, createdAtMs: 1000 }],
  createdAtMs: 2000,
  description: 'RUN echo "é" <&> \u2028',
  inputs: { argv: ["make"], env: { __proto__x: "1" }, parent: null },
};

let there: Set<string>;
let records: CacheRecords;

beforeEach(() => {
  there = new Set([diffId]);
  records = new CacheRecords(stores.store.paths, async (id) => there.has(id));
});

describe("records", () => {
  test("are found again as they were", async () => {
    expect(await records.lookup(key)).toBeNull();
    await records.save(record);
    expect(await records.lookup(key)).toEqual(record);
  });

  test("are replaced", async () => {
    await records.save(record);
    await records.save({ ...record, createdAtMs: 3000 });
    expect((await records.lookup(key))?.createdAtMs).toBe(3000);
  });

  test("are a miss when a layer is gone", async () => {
    await records.save(record);
    there.clear();
    expect(await records.lookup(key)).toBeNull();
  });

  test("are a miss under another key", async () => {
    await records.save(record);
    const other = keyOf("other");
    renameSync(stores.store.paths.cacheRecord(key), stores.store.paths.cacheRecord(other));
    expect(await records.lookup(other)).toBeNull();
  });

  test("are a miss whichever byte is damaged", async () => {
    await records.save(record);
    const path = stores.store.paths.cacheRecord(key);
    const whole = readFileSync(path);
    for (const at of whole.keys()) {
      // The newline at the end carries nothing.
      if (at === whole.length - 1) continue;
      const damaged = Buffer.from(whole);
      damaged[at] = (damaged[at] ?? 0) ^ 1;
      writeFileSync(path, damaged);
      expect(await records.lookup(key), `byte ${at}`).toBeNull();
    }
  });

  test.each(["", "{", "[]", "null", '{"record":{}}', "\0".repeat(100)])(
    "are a miss when the file holds %j",
    async (text) => {
      await records.save(record);
      writeFileSync(stores.store.paths.cacheRecord(key), text);
      expect(await records.lookup(key)).toBeNull();
    },
  );

  test("note when they are used", async () => {
    await records.save(record);
    const path = stores.store.paths.cacheRecord(key);
    utimesSync(path, 1000, 1000);
    await records.lookup(key);
    expect(statSync(path).mtimeMs).toBeGreaterThan(Date.now() - 60_000);
  });
});

describe("aliases", () => {
  test("lead from one key to another", async () => {
    expect(await records.lookupAlias(key)).toBeNull();
    await records.saveAlias(key, keyOf("target"));
    expect(await records.lookupAlias(key)).toBe(keyOf("target"));
    expect(await records.lookup(key)).toBeNull();
  });

  test("are a miss when they are damaged or moved", async () => {
    await records.saveAlias(key, keyOf("target"));
    renameSync(stores.store.paths.cacheAlias(key), stores.store.paths.cacheAlias(keyOf("other")));
    expect(await records.lookupAlias(keyOf("other"))).toBeNull();
    writeFileSync(stores.store.paths.cacheAlias(key), "{}");
    expect(await records.lookupAlias(key)).toBeNull();
  });
});
