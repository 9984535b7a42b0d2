import { closeSync, openSync, writeSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

/** What a container's process wrote: a line with its newline, or a piece of one. */
export interface ContainerLogRow {
  readonly stream: "stdout" | "stderr";
  readonly atMs: number;
  readonly bytes: Buffer;
}

const newline = 0x0a;
/** A longer line becomes several rows, as docker has it. */
const longestRowBytes = 16 * 1024;

/**
 * Writes a container's log, cut into lines as it comes; what is not UTF-8 becomes U+FFFD. What cannot be written is lost:
 * the container goes on.
 */
export class ContainerLogWriter {
  readonly #fd: number;
  readonly #rest = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };
  #failure: unknown = null;

  /** `file` is made. */
  constructor(file: string) {
    this.#fd = openSync(file, "a", 0o600);
  }

  /** Why not everything was written; null when it was. */
  get failure(): unknown {
    return this.#failure;
  }

  write(stream: ContainerLogRow["stream"], chunk: Uint8Array, atMs: number): void {
    const bytes = Buffer.concat([this.#rest[stream], chunk]);
    const rows: Buffer[] = [];
    let start = 0;
    for (;;) {
      const end = bytes.indexOf(newline, start) + 1;
      if (end === 0 && bytes.length - start < longestRowBytes) break;
      const cut = end === 0 || end - start > longestRowBytes ? characterEnd(bytes, start + longestRowBytes) : end;
      rows.push(bytes.subarray(start, cut));
      start = cut;
    }
    this.#rest[stream] = Buffer.from(bytes.subarray(start));
    this.#append(stream, rows, atMs);
  }

  /** Nothing more comes: what has no newline is a row too. */
  close(atMs: number): void {
    for (const stream of ["stdout", "stderr"] as const)
      if (this.#rest[stream].length > 0) this.#append(stream, [this.#rest[stream]], atMs);
    closeSync(this.#fd);
  }

  #append(stream: ContainerLogRow["stream"], rows: readonly Buffer[], atMs: number): void {
    if (rows.length === 0 || this.#failure !== null) return;
    const time = new Date(atMs).toISOString();
    const text = rows.map((bytes) => `${JSON.stringify({ log: bytes.toString("utf8"), stream, time })}\n`).join("");
    try {
      writeSync(this.#fd, text);
    } catch (error) {
      this.#failure = error;
    }
  }
}

/** The last place up to `at` that is not inside of a character. */
function characterEnd(bytes: Buffer, at: number): number {
  const isInside = (position: number): boolean => ((bytes[position] ?? 0) & 0xc0) === 0x80;
  for (let end = at; end > at - 4; end -= 1) if (!isInside(end)) return end;
  return at;
}

const chunkBytes = 64 * 1024;
const pollMs = 100;

/**
 * The rows of a log file, the last `tail` of them; null for all. Goes on at the end of the file for as long as
 * `mayGrow` says. What is no row, because a power loss made it so, is left out.
 */
export async function* readContainerLog(
  path: string,
  tail: number | null,
  mayGrow: () => Promise<boolean>,
  signal: AbortSignal,
): AsyncGenerator<ContainerLogRow> {
  const file = await open(path, "r");
  try {
    let at = tail === null ? 0 : await findTail(file, tail);
    let rest: Buffer = Buffer.alloc(0);
    for (let isOver = false; !isOver; ) {
      // Asked first: what was written until then is read below.
      isOver = !(await mayGrow()) || signal.aborted;
      for (;;) {
        const { buffer, bytesRead } = await file.read(Buffer.alloc(chunkBytes), 0, chunkBytes, at);
        if (bytesRead === 0) break;
        at += bytesRead;
        const bytes = Buffer.concat([rest, buffer.subarray(0, bytesRead)]);
        let start = 0;
        for (let end = bytes.indexOf(newline); end !== -1; end = bytes.indexOf(newline, start)) {
          const row = parseRow(bytes.toString("utf8", start, end));
          if (row !== null) yield row;
          start = end + 1;
        }
        rest = Buffer.from(bytes.subarray(start));
      }
      if (!isOver) await sleep(pollMs, undefined, { signal }).catch(() => {});
    }
  } finally {
    await file.close();
  }
}

/** Where the last `count` rows of a log begin. */
async function findTail(file: FileHandle, count: number): Promise<number> {
  let position = (await file.stat()).size;
  // The newline at the end of the last row is passed too.
  let missing = count + 1;
  while (position > 0) {
    const length = Math.min(chunkBytes, position);
    const chunk = Buffer.alloc(length);
    await file.read(chunk, 0, length, position - length);
    for (let at = chunk.lastIndexOf(newline); at !== -1; at = at === 0 ? -1 : chunk.lastIndexOf(newline, at - 1)) {
      missing -= 1;
      if (missing === 0) return position - length + at + 1;
    }
    position -= length;
  }
  return 0;
}

function parseRow(line: string): ContainerLogRow | null {
  try {
    const { log, stream, time } = JSON.parse(line) as Record<string, unknown>;
    if (typeof log !== "string" || (stream !== "stdout" && stream !== "stderr")) return null;
    return { stream, atMs: Date.parse(String(time)), bytes: Buffer.from(log) };
  } catch {
    return null;
  }
}
