import type { BigIntStats } from "node:fs";
import type { DeviceNumber, Entry } from "../layer/entry.ts";
import { baseNameOf, childPath } from "../layer/path-order.ts";
import { factCount, storeFacts } from "./file-facts.ts";
import { deviceOf, hostEntry, shapeOf } from "./host-entry.ts";
import type { PatternVerdict } from "./pattern-matcher.ts";

/** The visible content of one directory, sorted by name; everything in the same order. */
export interface Listing {
  readonly entries: readonly Entry[];
  /** The facts of each entry. */
  readonly facts: BigInt64Array;
  /** The shape of each entry. */
  readonly shapes: Uint32Array;
  /** What the patterns say about each entry; null when there are no patterns, or nobody has asked them. */
  readonly verdicts: readonly PatternVerdict[] | null;
}

export const nothing: Listing = {
  entries: [],
  facts: new BigInt64Array(0),
  shapes: new Uint32Array(0),
  verdicts: null,
};

/** Collects the content of a directory: columns, as objects for thousands of files would outlive it. */
export class ListingBuilder {
  readonly #entries: Entry[] = [];
  readonly #facts: BigInt64Array;
  readonly #shapes: Uint32Array;
  readonly #verdicts: PatternVerdict[] = [];

  /** `limit` entries at most. */
  constructor(limit: number) {
    this.#facts = new BigInt64Array(limit * factCount);
    this.#shapes = new Uint32Array(limit);
  }

  add(path: string, stat: BigIntStats, target: string | null, verdict: PatternVerdict | null): void {
    const index = this.#entries.length;
    const shape = shapeOf(stat);
    this.#shapes[index] = shape;
    storeFacts(stat, this.#facts, index);
    this.#entries.push(hostEntry(path, shape, this.#facts, index, target, deviceOf(stat, shape)));
    if (verdict !== null) this.#verdicts.push(verdict);
  }

  /** What was added, in the same order. */
  listing(): Listing {
    const count = this.#entries.length;
    const isFull = count === this.#shapes.length;
    return {
      entries: this.#entries,
      facts: isFull ? this.#facts : this.#facts.slice(0, count * factCount),
      shapes: isFull ? this.#shapes : this.#shapes.slice(0, count),
      verdicts: this.#verdicts.length === count && count > 0 ? this.#verdicts : null,
    };
  }
}

/** The part of a listing that `isShown` is true for. */
export function filterListing(
  listing: Listing,
  isShown: (entry: Entry, verdict: PatternVerdict | null) => boolean,
): Listing {
  const { entries, facts, shapes, verdicts } = listing;
  const kept = entries.flatMap((entry, at) => (isShown(entry, verdicts?.[at] ?? null) ? [at] : []));
  if (kept.length === entries.length) return listing;
  const keptFacts = new BigInt64Array(kept.length * factCount);
  for (const [to, from] of kept.entries())
    keptFacts.set(facts.subarray(from * factCount, (from + 1) * factCount), to * factCount);
  return {
    entries: kept.map((at) => entries[at] as Entry),
    facts: keptFacts,
    shapes: Uint32Array.from(kept, (at) => shapes[at] as number),
    verdicts: verdicts === null ? null : kept.map((at) => verdicts[at] as PatternVerdict),
  };
}

/** A listing as data that another thread can take: no object for each file. */
export interface FlatListing {
  /** Joined by "/". */
  readonly names: string;
  readonly facts: BigInt64Array;
  readonly shapes: Uint32Array;
  /** Of links, by position. */
  readonly targets: readonly (readonly [number, string])[];
  readonly devices: readonly (readonly [number, DeviceNumber])[];
}

export function flattenListing({ entries, facts, shapes }: Listing): FlatListing {
  const targets: [number, string][] = [];
  const devices: [number, DeviceNumber][] = [];
  for (let at = 0; at < entries.length; at += 1) {
    const { target, device } = entries[at] as Entry;
    if (target !== null) targets.push([at, target]);
    if (device !== null) devices.push([at, device]);
  }
  return { names: entries.map(({ path }) => baseNameOf(path)).join("/"), facts, shapes, targets, devices };
}

/** The listing of directory `path` that was flattened, without verdicts. */
export function unflattenListing(path: string, flat: FlatListing): Listing {
  const { names, facts, shapes } = flat;
  const targets = new Map(flat.targets);
  const devices = new Map(flat.devices);
  const entries = (shapes.length === 0 ? [] : names.split("/")).map((name, at) =>
    hostEntry(childPath(path, name), shapes[at] as number, facts, at, targets.get(at) ?? null, devices.get(at) ?? null),
  );
  return { entries, facts, shapes, verdicts: null };
}
