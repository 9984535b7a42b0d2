import { BuildError } from "../base/errors.ts";
import { parseDecimal, parseNumericField } from "./tar-numbers.ts";

/** Where stored bytes of a file with holes belong; what lies between is zeros. */
export interface SparsePiece {
  readonly offset: number;
  readonly length: number;
}

/** What the headers of a file with holes say. */
export interface SparseHeader {
  /** Bytes of the file with its holes. */
  readonly realSize: number;
  /** As far as the headers tell them. */
  readonly pieces: readonly SparsePiece[];
  /** Where more pieces stand: in blocks behind the header (old GNU), at the start of the content (pax 1.0). */
  readonly more: "blocks" | "content" | null;
}

/** More than any file needs; each takes memory. */
export const mostPieces = 1_000_000;

const pieceBytes = 24;

/** The sparse fields of a header of type "S": four pieces, whether more follow, the real size. Throws LAYER_MALFORMED. */
export function readOldGnuHeader(block: Buffer): SparseHeader {
  const realSize = parseNumericField(block.subarray(483, 495));
  if (realSize === null || realSize < 0) throw malformed("its real size is no number");
  return { realSize, pieces: readOldGnuPieces(block, 386, 4), more: block[482] === 0 ? null : "blocks" };
}

/** A block behind such a header: 21 pieces and whether another block follows. Throws LAYER_MALFORMED. */
export const readOldGnuBlock = (
  block: Buffer,
): { readonly pieces: readonly SparsePiece[]; readonly isLast: boolean } => ({
  pieces: readOldGnuPieces(block, 0, 21),
  isLast: block[504] === 0,
});

function readOldGnuPieces(block: Buffer, at: number, most: number): readonly SparsePiece[] {
  const pieces: SparsePiece[] = [];
  for (let index = 0; index < most; index++) {
    const field = at + index * pieceBytes;
    if (block[field] === 0) break;
    const offset = parseNumericField(block.subarray(field, field + 12));
    const length = parseNumericField(block.subarray(field + 12, field + pieceBytes));
    if (offset === null || length === null) throw malformed("a piece is no pair of numbers");
    pieces.push({ offset, length });
  }
  return pieces;
}

/**
 * The `GNU.sparse.` records of an extended header, without that prefix, in their order: versions 0.0 (a pair of records for
 * each piece), 0.1 (a list) and 1.0 (in the content). Throws LAYER_MALFORMED.
 */
export function readPaxSparse(records: readonly (readonly [string, string])[]): SparseHeader {
  const last = new Map(records);
  const version = `${last.get("major") ?? "0"}.${last.get("minor") ?? "0"}`;
  if (last.has("major") && version !== "1.0")
    throw malformed(`version ${JSON.stringify(version.slice(0, 40))}, want 1.0`);
  const realSize = decimal(last.get("realsize") ?? last.get("size"), "real size");
  if (last.has("major")) return { realSize, pieces: [], more: "content" };
  const map = last.get("map");
  const pieces = map === undefined ? piecesOfRecords(records) : piecesOf(map === "" ? [] : map.split(","));
  const count = decimal(last.get("numblocks"), "number of pieces");
  if (count !== pieces.length) throw malformed(`got ${pieces.length} pieces, want ${count}`);
  return { realSize, pieces, more: null };
}

function piecesOfRecords(records: readonly (readonly [string, string])[]): readonly SparsePiece[] {
  const pairs = records.filter(([key]) => key === "offset" || key === "numbytes");
  if (pairs.some(([key], at) => key !== (at % 2 === 0 ? "offset" : "numbytes")))
    throw malformed("offsets and lengths of its pieces do not alternate");
  return piecesOf(pairs.map(([, value]) => value));
}

/** Pieces of offsets and lengths in turn. Throws LAYER_MALFORMED. */
export function piecesOf(numbers: readonly string[]): readonly SparsePiece[] {
  if (numbers.length % 2 !== 0 || numbers.length > 2 * mostPieces)
    throw malformed(`${numbers.length} numbers of pieces`);
  const pieces: SparsePiece[] = [];
  for (let at = 0; at < numbers.length; at += 2)
    pieces.push({ offset: decimal(numbers[at], "offset"), length: decimal(numbers[at + 1], "length") });
  return pieces;
}

/** A number of a map. Throws LAYER_MALFORMED. */
export function decimal(text: string | undefined, what: string): number {
  const value = text === undefined ? null : parseDecimal(text);
  if (value === null) throw malformed(`its ${what} is no number`);
  return value;
}

/**
 * Checks that pieces are sorted, do not overlap, lie inside the file and take `storedBytes` in all. Throws LAYER_MALFORMED.
 */
export function checkPieces(pieces: readonly SparsePiece[], realSize: number, storedBytes: number): void {
  if (pieces.length > mostPieces) throw malformed(`more than ${mostPieces} pieces`);
  let end = 0;
  let stored = 0;
  for (const { offset, length } of pieces) {
    if (length < 0 || offset < end || offset + length > realSize)
      throw malformed(
        `a piece of ${length} bytes at ${offset} overlaps another or lies outside of its ${realSize} bytes`,
      );
    end = offset + length;
    stored += length;
  }
  if (stored !== storedBytes) throw malformed(`pieces of ${stored} bytes, but ${storedBytes} are stored`);
}

const malformed = (what: string): BuildError => new BuildError("LAYER_MALFORMED", `sparse file in a tar: ${what}`);
