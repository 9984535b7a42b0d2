/** The numbers of tar headers; null for what is no number or cannot be represented exactly. */

const decimal = /^[0-9]+$/;
const decimalTime = /^(-?)([0-9]+)(?:\.([0-9]*))?$/;

/** A field of a header block: octal digits between spaces and NULs, or base-256 (GNU), which may be negative. */
export function parseNumericField(field: Uint8Array): number | null {
  return ((field[0] ?? 0) & 0x80) === 0 ? parseOctalField(field) : parseBase256(field);
}

export function parseOctalField(field: Uint8Array): number | null {
  let start = 0;
  let end = field.length;
  while (start < end && isBlank(field[start] as number)) start += 1;
  while (end > start && isBlank(field[end - 1] as number)) end -= 1;
  let value = 0;
  for (let at = start; at < end; at++) {
    const digit = (field[at] as number) - 0x30;
    if (field[at] === 0) break;
    if (digit < 0 || digit > 7) return null;
    value = value * 8 + digit;
  }
  return Number.isSafeInteger(value) ? value : null;
}

const isBlank = (byte: number): boolean => byte === 0 || byte === 0x20;

function parseBase256(field: Uint8Array): number | null {
  const isNegative = ((field[0] as number) & 0x40) !== 0;
  const invert = isNegative ? 0xff : 0;
  let value = 0;
  for (let at = 0; at < field.length; at++) {
    const byte = ((field[at] as number) ^ invert) & (at === 0 ? 0x7f : 0xff);
    value = value * 256 + byte;
  }
  if (!Number.isSafeInteger(value)) return null;
  return isNegative ? -value - 1 : value;
}

/** A non-negative decimal of an extended header, digits only. */
export function parseDecimal(text: string): number | null {
  const value = decimal.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(value) ? value : null;
}

/** `-12.5` of an extended header as whole seconds (rounded down) and nanoseconds. */
export function parseTime(text: string): { readonly seconds: number; readonly nanos: number } | null {
  const match = decimalTime.exec(text);
  if (match === null) return null;
  const whole = Number(match[2]);
  const fraction = Number((match[3] ?? "").slice(0, 9).padEnd(9, "0"));
  if (!Number.isSafeInteger(whole)) return null;
  if (match[1] !== "-") return { seconds: whole, nanos: fraction };
  return fraction === 0 ? { seconds: -whole || 0, nanos: 0 } : { seconds: -whole - 1, nanos: 1_000_000_000 - fraction };
}
