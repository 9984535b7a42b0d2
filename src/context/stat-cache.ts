import { createHash } from "node:crypto";
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { type Digest, digestFromBytes, hexOf } from "../base/digest.ts";
import { fsCall } from "../layer/fs-call.ts";
import { factAt, factCount } from "./file-facts.ts";

/**
 * Rows of a stat cache as plain data: `rowNumbers` little-endian 64-bit numbers for each file (its facts, the 32 bytes of
 * its content's sha256, when the row was made in seconds), sorted by inode and device.
 */
export type StatCacheRows = BigInt64Array;

const digestNumbers = 4;
const madeAt = factCount + digestNumbers;
const rowNumbers = madeAt + 1;
/** 80 MB. The rows made longest ago go first. */
const maximumRows = 1_000_000;
const magic = Buffer.from("tsbuild stat cache 1\n".padEnd(32, "\0"), "latin1");
const headerBytes = magic.length + 32;

/** Digests of files by what stat(2) says about them. */
export class StatCache {
  readonly #rows: StatCacheRows;
  readonly #bytes: Buffer;
  /** The inode of each row, rounded: comparing these takes a tenth of the time. */
  readonly #inodes: Float64Array;

  constructor(rows: StatCacheRows) {
    this.#rows = rows;
    this.#bytes = Buffer.from(rows.buffer, rows.byteOffset, rows.byteLength);
    this.#inodes = new Float64Array(rows.length / rowNumbers);
    for (let row = 0; row < this.#inodes.length; row += 1)
      this.#inodes[row] = Number(rows[row * rowNumbers + factAt.inode]);
  }

  /** The digest of the file with these facts; null when they are not known. */
  find(facts: BigInt64Array): Digest | null {
    const inodes = this.#inodes;
    const inode = Number(facts[factAt.inode]);
    let low = 0;
    let high = inodes.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((inodes[middle] as number) < inode) low = middle + 1;
      else high = middle;
    }
    for (; inodes[low] === inode; low += 1) if (this.#isRow(low, facts)) return this.#digestOf(low);
    return null;
  }

  #isRow(row: number, facts: BigInt64Array): boolean {
    const at = row * rowNumbers;
    for (let fact = 0; fact < factCount; fact += 1) if (this.#rows[at + fact] !== facts[fact]) return false;
    return true;
  }

  #digestOf(row: number): Digest {
    return digestFromBytes(this.#bytes, (row * rowNumbers + factCount) * 8);
  }
}

/** Collects rows for `mergeStatCache`. */
export class StatCacheRecorder {
  #rows: StatCacheRows = new BigInt64Array(256 * rowNumbers);
  #used = 0;

  add(facts: BigInt64Array, digest: Digest, nowNs: bigint): void {
    if (this.#used === this.#rows.length) this.#grow();
    const row = this.#rows.subarray(this.#used, this.#used + rowNumbers);
    row.set(facts);
    Buffer.from(row.buffer, row.byteOffset + factCount * 8, digestNumbers * 8).write(hexOf(digest), "hex");
    row[madeAt] = nowNs / 1_000_000_000n;
    this.#used += rowNumbers;
  }

  rows(): StatCacheRows {
    return this.#rows.slice(0, this.#used);
  }

  #grow(): void {
    const larger = new BigInt64Array(2 * this.#rows.length);
    larger.set(this.#rows);
    this.#rows = larger;
  }
}

/**
 * Whether a digest that was just computed may be trusted as long as the facts stay the same: only when a change from now
 * on must get another ctime. `nowNs` is the time after the content was read. File systems that keep nanoseconds count
 * in ticks of some milliseconds, others in up to two seconds.
 */
export function isSettled(facts: BigInt64Array, nowNs: bigint): boolean {
  const ctimeNs = facts[factAt.ctimeNs] as bigint;
  const tickNs = ctimeNs % 1_000_000_000n === 0n ? 2_000_000_000n : 100_000_000n;
  return ctimeNs + tickNs < nowNs;
}

/** Reads a stat cache; a missing, foreign or damaged file is an empty one. */
export function loadStatCache(file: string): StatCache {
  return new StatCache(readRows(file));
}

/**
 * Adds rows, maybe none, to the stat cache `file`, in place of older ones of the same inode, and replaces the file as a
 * whole. Rows that another process adds at the same time may get lost; they are found out again. Throws STORE_NO_SPACE,
 * STORE_UNWRITABLE or SYSTEM_CALL_FAILED when it cannot be written.
 */
export function mergeStatCache(file: string, added: readonly StatCacheRows[]): void {
  if (added.every((rows) => rows.length === 0) && existsSync(file)) return;
  const body = mergeRows(readRows(file), added);
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const temporary = `${file}.${process.pid}.tmp`;
  fsCall(() => replaceFile(file, temporary, [magic, createHash("sha256").update(bytes).digest(), bytes]));
}

function replaceFile(file: string, temporary: string, parts: readonly Buffer[]): void {
  try {
    writeFileSync(temporary, Buffer.concat(parts), { mode: 0o600 });
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

function readRows(file: string): StatCacheRows {
  const nothing = new BigInt64Array(0);
  let content: Buffer;
  try {
    content = readFileSync(file);
  } catch {
    return nothing;
  }
  const body = content.subarray(headerBytes);
  if (!content.subarray(0, magic.length).equals(magic) || body.length % (rowNumbers * 8) !== 0) return nothing;
  const checksum = content.subarray(magic.length, headerBytes);
  if (!createHash("sha256").update(body).digest().equals(checksum)) return nothing;
  return new BigInt64Array(body.buffer.slice(body.byteOffset, body.byteOffset + body.length));
}

/** All rows in order; of rows of one inode the one in the last group. `rows` are in order already. */
function mergeRows(rows: StatCacheRows, added: readonly StatCacheRows[]): StatCacheRows {
  const latest = latestOf(added);
  const merged = new BigInt64Array(rows.length + latest.length * rowNumbers);
  let length = 0;
  const append = (part: StatCacheRows): void => {
    merged.set(part, length);
    length += part.length;
  };
  const count = rows.length / rowNumbers;
  let next = 0;
  for (const { group, index } of latest) {
    const at = lowerBound(rows, next, group, index);
    append(rows.subarray(next * rowNumbers, at * rowNumbers));
    append(group.subarray(index * rowNumbers, (index + 1) * rowNumbers));
    next = at < count && compareRows(rows, at, group, index) === 0 ? at + 1 : at;
  }
  append(rows.subarray(next * rowNumbers));
  const all = merged.subarray(0, length);
  return length <= maximumRows * rowNumbers ? all : withoutOldest(all);
}

interface AddedRow {
  readonly group: StatCacheRows;
  readonly index: number;
}

/** The rows of the groups in order; of rows of one inode the last. */
function latestOf(groups: readonly StatCacheRows[]): readonly AddedRow[] {
  const found = groups.flatMap((group) =>
    Array.from({ length: group.length / rowNumbers }, (_, index): AddedRow => ({ group, index })),
  );
  found.sort((a, b) => compareRows(a.group, a.index, b.group, b.index));
  return found.filter(({ group, index }, at) => {
    const next = found[at + 1];
    return next === undefined || compareRows(group, index, next.group, next.index) !== 0;
  });
}

/** The first of `rows` from `start` on that does not come before the row of `group`. */
function lowerBound(rows: StatCacheRows, start: number, group: StatCacheRows, index: number): number {
  let low = start;
  let high = rows.length / rowNumbers;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareRows(rows, middle, group, index) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function withoutOldest(rows: StatCacheRows): StatCacheRows {
  const indexes = Array.from({ length: rows.length / rowNumbers }, (_, index) => index);
  const age = (index: number): number => Number(rows[index * rowNumbers + madeAt]);
  const kept = indexes.sort((a, b) => age(b) - age(a)).slice(0, maximumRows / 2);
  kept.sort((a, b) => a - b);
  const remaining = new BigInt64Array(kept.length * rowNumbers);
  kept.forEach((index, at) => {
    remaining.set(rows.subarray(index * rowNumbers, (index + 1) * rowNumbers), at * rowNumbers);
  });
  return remaining;
}

function compareRows(a: BigInt64Array, indexA: number, b: BigInt64Array, indexB: number): number {
  for (const fact of [factAt.inode, factAt.device]) {
    const left = a[indexA * rowNumbers + fact] as bigint;
    const right = b[indexB * rowNumbers + fact] as bigint;
    if (left !== right) return left < right ? -1 : 1;
  }
  return 0;
}
