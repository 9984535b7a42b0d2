import { BuildError } from "../base/errors.ts";
import { parseDecimal, parseTime } from "./tar-numbers.ts";

const space = 0x20;
const equals = 0x3d;
const newline = 0x0a;
const xattrKey = "SCHILY.xattr.";
const sparseKey = "GNU.sparse.";

/** What an extended header (POSIX.1-2017, pax) says about the member behind it; what it does not say is undefined. */
export interface ExtendedHeader {
  readonly path?: Buffer;
  readonly linkPath?: Buffer;
  readonly size?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtime?: { readonly seconds: number; readonly nanos: number };
  readonly xattrs: ReadonlyMap<string, Buffer>;
  /** The records `GNU.sparse.…` without that prefix, in their order: the member is a file with holes. */
  readonly sparse: readonly (readonly [string, string])[];
}

/**
 * Reads the records of an extended header. Strict: where readers of tars are known to disagree (signs, blanks, odd
 * lengths, NUL in names), it throws LAYER_MALFORMED. Of equal keys the last counts; an empty value counts for nothing.
 */
export function parseExtendedHeader(data: Buffer): ExtendedHeader {
  const all = parseRecords(data);
  const records = new Map(all);
  const text = (key: string): string | undefined => {
    const value = records.get(key);
    return value === undefined || value.length === 0 ? undefined : value.toString("latin1");
  };
  const number = (key: string): number | undefined => {
    const value = text(key);
    if (value === undefined) return undefined;
    return parseDecimal(value) ?? refuse(`${key} ${JSON.stringify(value.slice(0, 40))} is no decimal number`);
  };
  const name = (key: string): Buffer | undefined => {
    const value = records.get(key);
    if (value?.includes(0)) return refuse(`${key} has a NUL in it`);
    return value === undefined || value.length === 0 ? undefined : value;
  };
  const xattrs = new Map<string, Buffer>();
  for (const [key, value] of records) {
    if (key.startsWith(xattrKey)) xattrs.set(Buffer.from(key.slice(xattrKey.length), "latin1").toString("utf8"), value);
  }
  const time = text("mtime");
  const mtime =
    time === undefined ? undefined : (parseTime(time) ?? refuse(`mtime ${JSON.stringify(time.slice(0, 40))}`));
  return {
    ...defined("path", name(`${sparseKey}name`) ?? name("path")),
    ...defined("linkPath", name("linkpath")),
    ...defined("size", number("size")),
    ...defined("uid", number("uid")),
    ...defined("gid", number("gid")),
    ...defined("mtime", mtime),
    xattrs,
    sparse: all.flatMap(([key, value]) =>
      key.startsWith(sparseKey) ? [[key.slice(sparseKey.length), value.toString("latin1")] as const] : [],
    ),
  };
}

/** Keys a global header may not set: some readers let them count for every member behind it, others do not. */
const notGlobal = /^(path|linkpath|size|GNU\.sparse\..*)$/;

/** Checks a global extended header, whose records (a comment of git-archive) are otherwise ignored, as Go does. */
export function checkGlobalHeader(data: Buffer): void {
  for (const [key] of parseRecords(data)) {
    if (notGlobal.test(key)) refuse(`a global header sets ${key}`);
  }
}

/** `<length> <key>=<value>\n`, one behind the other. */
function parseRecords(data: Buffer): readonly (readonly [string, Buffer])[] {
  const records: (readonly [string, Buffer])[] = [];
  for (let at = 0; at < data.length; ) {
    const blank = data.indexOf(space, at);
    const digits = blank < 0 || blank - at > 10 ? "" : data.toString("latin1", at, blank);
    const length = parseDecimal(digits);
    const end = at + (length ?? 0);
    if (length === null || end > data.length || end <= blank + 1 || data[end - 1] !== newline) {
      return refuse("a record has a wrong length");
    }
    const separator = data.indexOf(equals, blank);
    if (separator < 0 || separator >= end || separator === blank + 1) return refuse("a record has no key");
    const key = data.toString("latin1", blank + 1, separator);
    if (key.includes("\0")) return refuse("a key has a NUL in it");
    records.push([key, data.subarray(separator + 1, end - 1)]);
    at = end;
  }
  return records;
}

function defined<K extends string, V>(key: K, value: V | undefined): { readonly [key in K]?: V } {
  return (value === undefined ? {} : { [key]: value }) as { readonly [key in K]?: V };
}

function refuse(what: string): never {
  throw new BuildError("LAYER_MALFORMED", `extended tar header: ${what}`);
}
