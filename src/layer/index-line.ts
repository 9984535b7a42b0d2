import { type Digest, hexOf } from "../base/digest.ts";
import { BuildError } from "../base/errors.ts";
import type { LayerRow } from "./entry.ts";

/**
 * The text of a layer index: a header, one line a row, a footer. A row is a JSON array:
 * path, type letter, mode, uid, gid, mtime seconds, mtime nanoseconds, xattrs or 0, then by type
 *   f: size, offset in the tar, sha256 in hex   l, h: target   c, b: major, minor   d, p: nothing
 * and just path and letter for w (whiteout) and o (opaque).
 */
const formatName = "tsbuild layer index";
const formatVersion = 2;

interface IndexHeader {
  readonly canonical: boolean;
}

export interface IndexFooter {
  readonly rows: number;
  readonly diffId: string;
  readonly sizeBytes: number;
  /** Per file with several names: all of them, that of the file row first. */
  readonly links: readonly (readonly string[])[];
  /** Directories without a row that have one inside them, parents first. */
  readonly implied: readonly string[];
}

const letters = {
  file: "f",
  directory: "d",
  symlink: "l",
  hardlink: "h",
  char: "c",
  block: "b",
  fifo: "p",
  whiteout: "w",
  opaque: "o",
} as const satisfies Readonly<Record<LayerRow["type"], string>>;

const types: ReadonlyMap<unknown, LayerRow["type"]> = new Map(
  Object.entries(letters).map(([type, letter]) => [letter, type as LayerRow["type"]]),
);

export const encodeHeader = (isCanonical: boolean): string =>
  JSON.stringify({ format: formatName, version: formatVersion, canonical: isCanonical });

export const encodeFooter = (footer: IndexFooter): string => JSON.stringify(footer);

/** Throws LAYER_MALFORMED, or STORE_TOO_NEW for a version this program does not know. */
export function parseHeader(line: string, file: string): IndexHeader {
  const header = parseJson(line);
  if (!isRecord(header) || header.format !== formatName || typeof header.canonical !== "boolean") {
    throw new BuildError("LAYER_MALFORMED", `${JSON.stringify(file)} is not a layer index`);
  }
  if (header.version !== formatVersion) {
    throw new BuildError(
      "STORE_TOO_NEW",
      `layer index ${JSON.stringify(file)} has version ${String(header.version)}, want ${formatVersion}`,
    );
  }
  return { canonical: header.canonical };
}

/** Throws LAYER_MALFORMED. */
export function parseFooter(line: string, file: string): IndexFooter {
  const footer = parseJson(line);
  if (isRecord(footer)) {
    const { rows, diffId, sizeBytes, links, implied } = footer;
    if (isCount(rows) && typeof diffId === "string" && isCount(sizeBytes) && isLinks(links) && isPaths(implied)) {
      return { rows, diffId, sizeBytes, links, implied };
    }
  }
  throw new BuildError("LAYER_MALFORMED", `layer index ${JSON.stringify(file)} is cut off`);
}

/** The line of `row`, without its newline. */
export function encodeRow(row: LayerRow): string {
  const letter = letters[row.type];
  const begin = `[${quote(row.path)},"${letter}"`;
  if (letter === "w" || letter === "o") return `${begin}]`;
  const { mode, uid, gid, mtimeSeconds, mtimeNanos } = row;
  const xattrs = row.xattrs === null ? "0" : JSON.stringify(row.xattrs);
  const metadata = `${begin},${mode},${uid},${gid},${mtimeSeconds},${mtimeNanos},${xattrs}`;
  if (letter === "f") {
    const hex = row.digest === null ? "null" : `"${hexOf(row.digest)}"`;
    return `${metadata},${row.size},${row.offset},${hex}]`;
  }
  if (letter === "l" || letter === "h") return `${metadata},${row.target === null ? "null" : quote(row.target)}]`;
  if (letter === "c" || letter === "b") return `${metadata},${row.device?.major ?? 0},${row.device?.minor ?? 0}]`;
  return `${metadata}]`;
}

/** What JSON writes without escapes. */
const unescaped = /^[ !#-[\]-~]*$/;

/** `text` as JSON. */
const quote = (text: string): string => (unescaped.test(text) ? `"${text}"` : JSON.stringify(text));

/** The row of a line; null when it is none. */
export function decodeRow(line: string): LayerRow | null {
  const fields = parseJson(line);
  if (!Array.isArray(fields)) return null;
  const [path, letter, mode, uid, gid, mtimeSeconds, mtimeNanos, xattrs, first, second, third]: unknown[] = fields;
  const type = types.get(letter);
  if (typeof path !== "string" || type === undefined) return null;
  if (type === "whiteout" || type === "opaque") return markRow(path, type);
  if (!isCount(mode) || !isCount(uid) || !isCount(gid) || !Number.isSafeInteger(mtimeSeconds) || !isCount(mtimeNanos)) {
    return null;
  }
  const isFile = type === "file";
  const hasTarget = type === "symlink" || type === "hardlink";
  const hasDevice = type === "char" || type === "block";
  if (isFile && !(isCount(first) && isCount(second) && typeof third === "string" && third.length === 64)) return null;
  if (hasTarget && typeof first !== "string") return null;
  if (hasDevice && !(isCount(first) && isCount(second))) return null;
  return {
    path,
    type,
    mode,
    uid,
    gid,
    mtimeSeconds: mtimeSeconds as number,
    mtimeNanos,
    xattrs: isXattrs(xattrs) ? xattrs : null,
    size: isFile ? (first as number) : 0,
    target: hasTarget ? (first as string) : null,
    device: hasDevice ? { major: first as number, minor: second as number } : null,
    // Its digits are not looked at: a damaged digest fails where the content is read, whatever it is damaged to.
    digest: isFile ? (`sha256:${third as string}` as Digest) : null,
    offset: isFile ? (second as number) : null,
  };
}

/** The row of a whiteout of `path`, or of an opaque mark in directory `path`. */
export function markRow(path: string, type: "whiteout" | "opaque"): LayerRow {
  return {
    path,
    type,
    mode: 0,
    uid: 0,
    gid: 0,
    mtimeSeconds: 0,
    mtimeNanos: 0,
    xattrs: null,
    size: 0,
    target: null,
    device: null,
    digest: null,
    offset: null,
  };
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

const isXattrs = (value: unknown): value is Readonly<Record<string, string>> =>
  isRecord(value) && Object.values(value).every((item) => typeof item === "string");

const isPaths = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((path) => typeof path === "string");

const isLinks = (value: unknown): value is readonly (readonly string[])[] =>
  Array.isArray(value) && value.every(isPaths);
