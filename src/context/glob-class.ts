/** A `[...]` of a pattern. */
export interface GlobClass {
  readonly negated: boolean;
  /** Code points, both ends included. */
  readonly ranges: readonly { readonly from: number; readonly to: number }[];
}

/**
 * Reads the class that begins after the "[" at `pattern[at - 1]`, by the rules of Go's `filepath.Match`: "^" negates,
 * "\" takes the next character literally, "-" and "]" must be escaped. null when it is malformed.
 */
export function readGlobClass(
  pattern: readonly number[],
  at: number,
): { readonly value: GlobClass; readonly next: number } | null {
  let next = at;
  const negated = pattern[next] === caret;
  if (negated) next += 1;
  const ranges: { from: number; to: number }[] = [];
  while (pattern[next] !== closing || ranges.length === 0) {
    const from = readMember(pattern, next);
    if (from === null) return null;
    next = from.next;
    let to = from.char;
    if (pattern[next] === dash) {
      const end = readMember(pattern, next + 1);
      if (end === null) return null;
      next = end.next;
      to = end.char;
    }
    ranges.push({ from: from.char, to });
  }
  return { value: { negated, ranges }, next: next + 1 };
}

const caret = 0x5e;
const dash = 0x2d;
const closing = 0x5d;
const backslash = 0x5c;

/** One member; something must follow it, at least the closing bracket. */
function readMember(pattern: readonly number[], at: number): { readonly char: number; readonly next: number } | null {
  const escaped = pattern[at] === backslash;
  const index = escaped ? at + 1 : at;
  const char = pattern[index];
  if (char === undefined || index + 1 >= pattern.length) return null;
  if (!escaped && (char === dash || char === closing)) return null;
  return { char, next: index + 1 };
}

export function classContains(value: GlobClass, char: number): boolean {
  for (const range of value.ranges) if (range.from <= char && char <= range.to) return !value.negated;
  return value.negated;
}

/** The code points of `text`. */
export function codePointsOf(text: string): number[] {
  const points: number[] = [];
  for (let at = 0; at < text.length; at += 1) {
    const point = text.codePointAt(at) as number;
    if (point > 0xffff) at += 1;
    points.push(point);
  }
  return points;
}
