import { encodeName } from "../base/file-name.ts";
import type { LayerRow } from "./entry.ts";
import type { NewRow } from "./layer-writer.ts";
import { opaquePath, whiteoutPath } from "./whiteout-name.ts";

export const blockBytes = 512;
/** A tar ends with two zero blocks (POSIX.1-2017, pax, "ustar Interchange Format"). */
export const tarEnd: Readonly<Uint8Array> = new Uint8Array(2 * blockBytes);

const nameField = { at: 0, length: 100 };
const linkNameField = { at: 157, length: 100 };
const prefixField = { at: 345, length: 155 };
const slash = 0x2f;

/** The digit of each type in ASCII. */
const typeFlags: Readonly<Record<LayerRow["type"], number>> = {
  file: 0x30,
  hardlink: 0x31,
  symlink: 0x32,
  char: 0x33,
  block: 0x34,
  directory: 0x35,
  fifo: 0x36,
  whiteout: 0x30,
  opaque: 0x30,
};
const extendedHeaderFlag = 0x78;
/** Names of these characters stand in a header as they are. */
const printable = /^[ -~]*$/;

/** Bytes of zeros between a content of `size` bytes and the next header. */
export const paddingAfter = (size: number): number => (blockBytes - (size % blockBytes)) % blockBytes;

/**
 * Writes the header of `row` at `at`, as `encodeTarHeader` has it, if that is one block in which every name stands as it
 * is: so it is for nearly all rows. Returns the bytes written; 0, and nothing is written, for all others.
 */
export function writePlainTarHeader(row: NewRow, into: Buffer, at: number): number {
  const name = tarName(row);
  const target = row.target ?? "";
  if (name.length > nameField.length || !printable.test(name)) return 0;
  if (target.length > linkNameField.length || !printable.test(target)) return 0;
  if (!(fitsOctal(row.uid, 8) && fitsOctal(row.gid, 8) && fitsOctal(contentSize(row), 12))) return 0;
  if (!fitsOctal(row.mtimeSeconds, 12) || row.xattrs !== null) return 0;
  into.fill(0, at, at + blockBytes);
  into.write(name, at + nameField.at, "latin1");
  if (target !== "") into.write(target, at + linkNameField.at, "latin1");
  writeFields(into, at, row);
  return blockBytes;
}

/**
 * The header blocks of `row`, byte for byte as Go's archive/tar writes them in its PAX format, which is what BuildKit's
 * layers consist of: USTAR where every field fits, otherwise one extended header before it. Times are cut to seconds.
 */
export function encodeTarHeader(row: NewRow): Buffer {
  const name = encodeName(tarName(row));
  const linkName = row.target === null ? Buffer.alloc(0) : encodeName(row.target);
  const size = contentSize(row);
  const records = new Map<string, Buffer>();
  const split = splitName(name);
  let isUstar = true;
  if (name.length > nameField.length || !isAscii(name)) {
    records.set("path", name);
    if (split === null) isUstar = false;
  }
  const require = (key: string, value: Buffer): void => {
    records.set(key, value);
    isUstar = false;
  };
  if (linkName.length > linkNameField.length || !isAscii(linkName)) require("linkpath", linkName);
  if (!fitsOctal(row.uid, 8)) require("uid", Buffer.from(String(row.uid)));
  if (!fitsOctal(row.gid, 8)) require("gid", Buffer.from(String(row.gid)));
  if (!fitsOctal(size, 12)) require("size", Buffer.from(String(size)));
  if (!fitsOctal(row.mtimeSeconds, 12)) require("mtime", Buffer.from(String(row.mtimeSeconds)));
  for (const [key, value] of Object.entries(row.xattrs ?? {})) {
    require(`SCHILY.xattr.${key}`, Buffer.from(value, "base64"));
  }

  const header = Buffer.alloc(blockBytes);
  if (isUstar && split !== null) {
    header.set(split.name, nameField.at);
    header.set(split.prefix, prefixField.at);
  } else {
    writeAsciiName(header, name, nameField);
  }
  writeAsciiName(header, linkName, linkNameField);
  writeFields(header, 0, row);
  return isUstar ? header : Buffer.concat([encodeExtendedHeader(name, records), header]);
}

const contentSize = (row: NewRow): number => (row.type === "file" ? row.size : 0);

/** Everything but names, into the zeroed block at `at`. */
function writeFields(into: Buffer, at: number, row: NewRow): void {
  writeOctal(into, at + 100, 8, row.mode);
  writeOctal(into, at + 108, 8, row.uid);
  writeOctal(into, at + 116, 8, row.gid);
  writeOctal(into, at + 124, 12, contentSize(row));
  writeOctal(into, at + 136, 12, row.mtimeSeconds);
  into[at + 156] = typeFlags[row.type];
  writeOctal(into, at + 329, 8, row.device?.major ?? 0);
  writeOctal(into, at + 337, 8, row.device?.minor ?? 0);
  seal(into, at);
}

function tarName(row: NewRow): string {
  if (row.type === "directory") return `${row.path}/`;
  if (row.type === "whiteout") return whiteoutPath(row.path);
  if (row.type === "opaque") return opaquePath(row.path);
  return row.path;
}

/** A long ASCII name as USTAR's prefix and name; null when it is short, not ASCII, or has no "/" in the right place. */
function splitName(name: Buffer): { readonly prefix: Buffer; readonly name: Buffer } | null {
  if (name.length <= nameField.length || !isAscii(name)) return null;
  let searched = name.length;
  if (searched > prefixField.length + 1) searched = prefixField.length + 1;
  else if (name[searched - 1] === slash) searched -= 1;
  const at = name.subarray(0, searched).lastIndexOf(slash);
  const rest = name.length - at - 1;
  if (at <= 0 || rest === 0 || rest > nameField.length) return null;
  return { prefix: name.subarray(0, at), name: name.subarray(at + 1) };
}

/** The extended header (type x) that holds `records`, sorted by key, for the entry `name`. */
function encodeExtendedHeader(name: Buffer, records: ReadonlyMap<string, Buffer>): Buffer {
  const data = Buffer.concat([...records.keys()].sort().map((key) => encodeRecord(key, records.get(key) as Buffer)));
  const header = Buffer.alloc(blockBytes);
  const folderLength = name.lastIndexOf(slash) + 1;
  const isFolder = folderLength === name.length;
  const marked = Buffer.concat([
    name.subarray(0, folderLength),
    Buffer.from(isFolder ? "PaxHeaders.0" : "PaxHeaders.0/"),
    name.subarray(folderLength),
  ]);
  let shown = toAscii(marked).subarray(0, nameField.length);
  while (shown.length > 0 && shown[shown.length - 1] === slash) shown = shown.subarray(0, -1);
  header.set(shown, nameField.at);
  for (const at of [100, 108, 116]) writeOctal(header, at, 8, 0);
  writeOctal(header, 124, 12, data.length);
  writeOctal(header, 136, 12, 0);
  header[156] = extendedHeaderFlag;
  seal(header, 0);
  return Buffer.concat([header, data, Buffer.alloc(paddingAfter(data.length))]);
}

/** `<length> <key>=<value>\n`, where the length counts itself. */
function encodeRecord(key: string, value: Buffer): Buffer {
  const rest = Buffer.byteLength(key) + value.length + 3;
  let length = rest + String(rest).length;
  length = rest + String(length).length;
  return Buffer.concat([Buffer.from(`${length} ${key}=`), value, Buffer.from("\n")]);
}

/** What a reader that does not know extended headers sees of a name: its ASCII bytes, cut to the field. */
function writeAsciiName(header: Buffer, name: Buffer, field: { readonly at: number; readonly length: number }): void {
  const ascii = isAscii(name) ? name : toAscii(name);
  let end = Math.min(ascii.length, field.length);
  if (ascii.length > field.length && ascii[end - 1] === slash) {
    while (end > 0 && ascii[end - 1] === slash) end -= 1;
    // The field stays filled behind the cut, as only the slash is replaced by the NUL that ends the name.
    header.set(ascii.subarray(0, field.length), field.at);
    header[field.at + end] = 0;
    return;
  }
  header.set(ascii.subarray(0, end), field.at);
}

function isAscii(bytes: Buffer): boolean {
  for (let at = 0; at < bytes.length; at++) if ((bytes[at] as number) >= 0x80) return false;
  return true;
}

const toAscii = (bytes: Buffer): Buffer => bytes.filter((byte) => byte < 0x80) as Buffer;

const fitsOctal = (value: number, fieldBytes: number): boolean => value >= 0 && value < 8 ** (fieldBytes - 1);

/** Zero-padded octal with a NUL behind it; zero when it does not fit (an extended header then has the value). */
function writeOctal(header: Buffer, at: number, length: number, value: number): void {
  let left = fitsOctal(value, length) ? value : 0;
  for (let digit = at + length - 2; digit >= at; digit--) {
    header[digit] = 0x30 + (left % 8);
    left = Math.floor(left / 8);
  }
}

/** Marks the block at `at` as USTAR and puts its checksum in. */
function seal(into: Buffer, at: number): void {
  into.write("ustar\x0000", at + 257, "latin1");
  let sum = 8 * 0x20;
  for (let byte = at; byte < at + blockBytes; byte++) sum += into[byte] as number;
  writeOctal(into, at + 148, 7, sum);
  into[at + 155] = 0x20;
}
