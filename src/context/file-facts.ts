import type { BigIntStats } from "node:fs";

/** Numbers that change when a file is replaced or written to. */
export const factCount = 5;

/** Where each fact stands in a group of `factCount` numbers. */
export const factAt = { device: 0, inode: 1, size: 2, mtimeNs: 3, ctimeNs: 4 } as const;

/** Writes the facts of one file into `facts`, at group `index`. */
export function storeFacts(stat: BigIntStats, facts: BigInt64Array, index: number): void {
  const at = index * factCount;
  facts[at + factAt.device] = stat.dev;
  facts[at + factAt.inode] = stat.ino;
  facts[at + factAt.size] = stat.size;
  facts[at + factAt.mtimeNs] = stat.mtimeNs;
  facts[at + factAt.ctimeNs] = stat.ctimeNs;
}

/** The facts of one file alone. */
export function factsOf(stat: BigIntStats): BigInt64Array {
  const facts = new BigInt64Array(factCount);
  storeFacts(stat, facts, 0);
  return facts;
}

export function equalFacts(a: BigInt64Array, b: BigInt64Array): boolean {
  for (let at = 0; at < factCount; at += 1) if (a[at] !== b[at]) return false;
  return true;
}
