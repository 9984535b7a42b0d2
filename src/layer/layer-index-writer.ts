import { closeSync, fsyncSync, openSync, writeSync } from "node:fs";
import type { DiffId } from "../base/digest.ts";
import { BuildError } from "../base/errors.ts";
import type { LayerRow } from "./entry.ts";
import { fsCall } from "./fs-call.ts";
import { encodeFooter, encodeHeader, encodeRow } from "./index-line.ts";
import { comparePaths, parentOf } from "./path-order.ts";

const flushCharacters = 1 << 18;

/** Writes a layer's index row by row. Rows come sorted, see `LayerRow`. */
export class LayerIndexWriter {
  readonly #fd: number;
  #pending: string;
  #count = 0;
  #last: LayerRow | null = null;
  readonly #links = new Map<string, string[]>();
  readonly #implied: string[] = [];
  /** The directories the next row may lie in, outermost first. */
  readonly #open: string[] = [];

  /** Creates `file`. `isCanonical`: the tar can be made again from rows and contents. */
  constructor(file: string, isCanonical: boolean) {
    this.#fd = fsCall(() => openSync(file, "wx"));
    this.#pending = `${encodeHeader(isCanonical)}\n`;
  }

  /** Throws INTERNAL when `row` does not sort behind the one before. */
  add(row: LayerRow): void {
    const last = this.#last;
    if (last !== null && !isBehind(last, row)) {
      throw new BuildError(
        "INTERNAL",
        `layer row ${JSON.stringify(row.path)} comes after ${JSON.stringify(last.path)}`,
      );
    }
    this.#last = row;
    this.#count += 1;
    if (row.type === "hardlink") this.#addLink(row.target as string, row.path);
    this.#enterDirectories(row);
    this.#pending += `${encodeRow(row)}\n`;
    if (this.#pending.length >= flushCharacters) this.#flush();
  }

  /** Completes the file; with `isFlushed` it has reached the disk then. */
  finish(diffId: DiffId, sizeBytes: number, isFlushed = true): void {
    const links = [...this.#links.values()];
    this.#pending += `${encodeFooter({ rows: this.#count, diffId, sizeBytes, links, implied: this.#implied })}\n`;
    this.#flush();
    if (isFlushed) fsCall(() => fsyncSync(this.#fd));
    closeSync(this.#fd);
  }

  /** Closes the file where it stands; what was written is no index. */
  abandon(): void {
    closeSync(this.#fd);
  }

  #enterDirectories({ path, type }: LayerRow): void {
    const isOpen = (directory: string): boolean =>
      directory === "" ||
      (path.startsWith(directory) && (path.length === directory.length || path[directory.length] === "/"));
    while (!isOpen(this.#open.at(-1) ?? "")) this.#open.pop();
    const innermost = type === "directory" || type === "opaque" ? path : parentOf(path);
    if (innermost === (this.#open.at(-1) ?? "")) return;
    const missing: string[] = [];
    for (let at = innermost; at !== (this.#open.at(-1) ?? ""); at = parentOf(at)) missing.unshift(at);
    for (const directory of missing) if (type !== "directory" || directory !== path) this.#implied.push(directory);
    this.#open.push(...missing);
  }

  #addLink(target: string, path: string): void {
    const names = this.#links.get(target);
    if (names === undefined) this.#links.set(target, [target, path]);
    else names.push(path);
  }

  #flush(): void {
    const bytes = Buffer.from(this.#pending, "utf8");
    fsCall(() => {
      for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd, bytes, at);
    });
    this.#pending = "";
  }
}

/** Whether `row` may stand behind `before` in a layer, see `LayerRow`. */
export function isBehind(before: Pick<LayerRow, "path" | "type">, row: Pick<LayerRow, "path" | "type">): boolean {
  const order = comparePaths(before.path, row.path);
  return order < 0 || (order === 0 && before.type === "directory" && row.type === "opaque");
}
