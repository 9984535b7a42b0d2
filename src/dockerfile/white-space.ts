/**
 * White space as Go's unicode.IsSpace sees it: JavaScript's `\s` and `trim` count U+FEFF and not U+0085.
 * Every such character is one UTF-16 code unit.
 */
export function isSpace(unit: number): boolean {
  if (unit < 0x80) return isAsciiSpace(unit);
  if (unit === 0x85 || unit === 0xa0) return true;
  if (unit < 0x1680) return false;
  return (
    unit === 0x1680 ||
    (unit >= 0x2000 && unit <= 0x200a) ||
    unit === 0x2028 ||
    unit === 0x2029 ||
    unit === 0x202f ||
    unit === 0x205f ||
    unit === 0x3000
  );
}

export const isAsciiSpace = (unit: number): boolean => unit === 0x20 || (unit >= 0x09 && unit <= 0x0d);

export function trimStart(text: string): string {
  let start = 0;
  while (start < text.length && isSpace(text.charCodeAt(start))) start += 1;
  return start === 0 ? text : text.slice(start);
}

export function trimEnd(text: string): string {
  let end = text.length;
  while (end > 0 && isSpace(text.charCodeAt(end - 1))) end -= 1;
  return end === text.length ? text : text.slice(0, end);
}

export const trim = (text: string): string => trimEnd(trimStart(text));

/** `text` without the `\r` and `\n` at its end. */
export function trimLineEnd(text: string): string {
  let end = text.length;
  while (end > 0 && (text[end - 1] === "\n" || text[end - 1] === "\r")) end -= 1;
  return end === text.length ? text : text.slice(0, end);
}

/** What separates the arguments of an instruction; narrower than `isSpace`. */
const isSeparator = (unit: number): boolean =>
  unit === 0x20 || unit === 0x09 || unit === 0x0b || unit === 0x0c || unit === 0x0d;

/** The text before the first run of separators and the text after it; null when there is no separator. */
export function cutAtSeparator(text: string): readonly [string, string] | null {
  let start = 0;
  while (start < text.length && !isSeparator(text.charCodeAt(start))) start += 1;
  if (start === text.length) return null;
  let end = start;
  while (end < text.length && isSeparator(text.charCodeAt(end))) end += 1;
  return [text.slice(0, start), text.slice(end)];
}

/** Words between runs of separators, without any meaning for quotes or escapes. */
export const splitAtSeparators = (text: string): string[] => text.split(/[\t\v\f\r ]+/);
