import type { CacheKey } from "../base/digest.ts";
import type { Op, ResultCache } from "../solve/op.ts";
import type { Snapshot } from "../steps/snapshot.ts";
import type { StepOp } from "../steps/step-op.ts";
import type { CacheRecords } from "../store/cache-records.ts";

/** The store's cache records as the solver's cache. */
export class SnapshotCache implements ResultCache<Snapshot> {
  readonly #records: CacheRecords;
  readonly #ops: ReadonlyMap<string, StepOp>;
  readonly #nowMs: () => number;

  constructor(records: CacheRecords, ops: readonly StepOp[], nowMs: () => number) {
    this.#records = records;
    this.#ops = new Map(ops.map((op) => [op.id, op]));
    this.#nowMs = nowMs;
  }

  async lookup(key: CacheKey): Promise<Snapshot | null> {
    const record = await this.#records.lookup(key);
    return record === null ? null : { layers: record.layers };
  }

  async save(key: CacheKey, snapshot: Snapshot, op: Op<Snapshot>): Promise<void> {
    const step = this.#ops.get(op.id);
    await this.#records.save({
      key,
      layers: snapshot.layers,
      createdAtMs: this.#nowMs(),
      description: step?.vertex.name ?? op.id,
      inputs: step?.keyInputs() ?? null,
    });
  }

  noteUse(key: CacheKey): void {
    this.#records.noteUse(key);
  }

  lookupAlias(key: CacheKey): Promise<CacheKey | null> {
    return this.#records.lookupAlias(key);
  }

  saveAlias(key: CacheKey, target: CacheKey): Promise<void> {
    return this.#records.saveAlias(key, target);
  }
}
