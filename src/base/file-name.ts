/**
 * File names are bytes, strings are UTF-16. A name that is valid UTF-8 becomes the string it spells; every other byte
 * 0x80-0xff becomes the lone surrogate U+DC80-U+DCFF (as Python's "surrogateescape"), so no name is lost and no two
 * names become equal. JSON.stringify escapes lone surrogates, so such strings also survive JSON.
 */
const escapedByte = /[\udc80-\udcff]/;
const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The string form of a name's bytes. */
export function decodeName(bytes: Uint8Array): string {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    return decodeLossless(bytes);
  }
}

function decodeLossless(bytes: Uint8Array): string {
  let text = "";
  let at = 0;
  while (at < bytes.length) {
    const length = validSequenceLength(bytes, at);
    if (length === 0) {
      text += String.fromCharCode(0xdc00 + (bytes[at] as number));
      at += 1;
    } else {
      text += strictUtf8.decode(bytes.subarray(at, at + length));
      at += length;
    }
  }
  return text;
}

function validSequenceLength(bytes: Uint8Array, at: number): number {
  const lead = bytes[at] as number;
  const length = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
  if (length === 0 || at + length > bytes.length) return 0;
  try {
    strictUtf8.decode(bytes.subarray(at, at + length));
    return length;
  } catch {
    return 0;
  }
}

/** The bytes of a name made by `decodeName`, or of any string without lone surrogates. */
export function encodeName(name: string): Buffer {
  if (!escapedByte.test(name)) return Buffer.from(name, "utf8");
  const parts: Buffer[] = [];
  let plain = "";
  for (const char of name) {
    const unit = char.charCodeAt(0);
    if (char.length === 1 && unit >= 0xdc80 && unit <= 0xdcff) {
      if (plain !== "") parts.push(Buffer.from(plain, "utf8"));
      plain = "";
      parts.push(Buffer.from([unit - 0xdc00]));
    } else {
      plain += char;
    }
  }
  if (plain !== "") parts.push(Buffer.from(plain, "utf8"));
  return Buffer.concat(parts);
}

const needsByteOrder = /[\ud800-\uffff]/;

/** Order of two names by their bytes, as Go and strcmp sort them; not by UTF-16 code units. */
export function compareNames(a: string, b: string): number {
  if (a === b) return 0;
  if (needsByteOrder.test(a) || needsByteOrder.test(b)) return Buffer.compare(encodeName(a), encodeName(b));
  return a < b ? -1 : 1;
}
