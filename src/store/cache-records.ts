import { statSync, utimesSync } from "node:fs";
import type { JsonValue } from "../base/canonical-json.ts";
import { type CacheKey, type DiffId, hexOf, parseCacheKey, parseDiffId } from "../base/digest.ts";
import { BuildError } from "../base/errors.ts";
import { RecordFields } from "./record-fields.ts";
import { readExpendableRecord, writeRecord } from "./record-file.ts";
import type { StorePaths } from "./store-paths.ts";

/** What a step resulted in, to be found again by its key. */
export interface CacheRecord {
  readonly key: CacheKey;
  /** Lowest first. */
  readonly layers: readonly { readonly diffId: DiffId; readonly createdAtMs: number }[];
  readonly createdAtMs: number;
  /** For people: `RUN make`. */
  readonly description: string;
  /** What the key was made of: explains a miss. */
  readonly inputs: JsonValue;
}

/** A use is written down at most this often: prune needs no finer clock. */
const usePrecisionMs = 60 * 60 * 1000;

/** Cache records and aliases as the files `cache/<key hex>` and `cache/<key hex>.alias`. */
export class CacheRecords {
  readonly #paths: StorePaths;
  readonly #hasLayer: (diffId: DiffId) => Promise<boolean>;

  /** A record counts only while `hasLayer` holds for each of its layers. */
  constructor(paths: StorePaths, hasLayer: (diffId: DiffId) => Promise<boolean>) {
    this.#paths = paths;
    this.#hasLayer = hasLayer;
  }

  /** The record of `key`; null when there is none, it is broken, or one of its layers is gone. */
  async lookup(key: CacheKey): Promise<CacheRecord | null> {
    const path = this.#paths.cacheRecord(key);
    const record = await readExpendableRecord(path, (fields) => parseCacheRecord(fields, key));
    if (record === null) return null;
    const there = await Promise.all(record.layers.map(({ diffId }) => this.#hasLayer(diffId)));
    if (there.includes(false)) return null;
    noteUse(path);
    return record;
  }

  /** Notes that the record of `key`, if there is one, is in use: it is not among the first that prune removes. */
  noteUse(key: CacheKey): void {
    noteUse(this.#paths.cacheRecord(key));
  }

  /** Stores a record; its layers must be in the store. */
  async save(record: CacheRecord): Promise<void> {
    const { key, layers, createdAtMs, description, inputs } = record;
    const stored = {
      key,
      layers: layers.map(({ diffId, createdAtMs }) => ({ diffId, createdAtMs })),
      createdAtMs,
      description,
      inputs,
    };
    await this.#paths.hold();
    await writeRecord(this.#paths.cacheRecord(key), stored, this.#paths.temporary, "eventual");
  }

  /** The key that `saveAlias` stored for `key`; null when there is none or it is broken. */
  async lookupAlias(key: CacheKey): Promise<CacheKey | null> {
    const path = this.#paths.cacheAlias(key);
    const target = await readExpendableRecord(path, (fields) => {
      expectKey(fields, key);
      return parseCacheKey(fields.text("target"));
    });
    if (target !== null) noteUse(path);
    return target;
  }

  /** Notes that what `key` stands for is found under `target`. */
  async saveAlias(key: CacheKey, target: CacheKey): Promise<void> {
    await this.#paths.hold();
    await writeRecord(this.#paths.cacheAlias(key), { key, target }, this.#paths.temporary, "eventual");
  }
}

/** Reads a stored record; throws STORE_RECORD_INVALID when it is broken or not the one of `key`. */
export function parseCacheRecord(fields: RecordFields, key: CacheKey): CacheRecord {
  expectKey(fields, key);
  return {
    key,
    layers: fields.list("layers", (item) => {
      const layer = new RecordFields("layer", item);
      return { diffId: parseDiffId(layer.text("diffId")), createdAtMs: layer.count("createdAtMs") };
    }),
    createdAtMs: fields.count("createdAtMs"),
    description: fields.text("description"),
    inputs: fields.json("inputs"),
  };
}

/** A record under another key's name would give a step the result of another one. */
function expectKey(fields: RecordFields, key: CacheKey): void {
  const got = fields.text("key");
  if (got !== key)
    throw new BuildError("STORE_RECORD_INVALID", `cache record ${hexOf(key)}: key mismatch: got ${got}, want ${key}`);
}

/** The modification time of a record is when it was last used. */
function noteUse(path: string): void {
  try {
    const nowMs = Date.now();
    const lastUseMs = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? nowMs;
    if (nowMs - lastUseMs > usePrecisionMs) utimesSync(path, nowMs / 1000, nowMs / 1000);
  } catch {
    // Only prune's order of removal depends on it.
  }
}
