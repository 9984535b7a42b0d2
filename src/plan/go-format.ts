/** What BuildKit's history rows hold is Go's formatting of values; these functions make the same text. */

const printable = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;
const shortEscapes: ReadonlyMap<string, string> = new Map([
  ["\x07", "\\a"],
  ["\b", "\\b"],
  ["\f", "\\f"],
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\t", "\\t"],
  ["\v", "\\v"],
  ['"', '\\"'],
  ["\\", "\\\\"],
]);

function quoteCharacter(char: string): string {
  const short = shortEscapes.get(char);
  if (short !== undefined) return short;
  if (printable.test(char)) return char;
  const code = char.codePointAt(0) ?? 0;
  if (code < 0x80) return `\\x${code.toString(16).padStart(2, "0")}`;
  return code > 0xffff ? `\\U${code.toString(16).padStart(8, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
}

/** `%q` of a string. */
export const formatQuoted = (text: string): string => `"${Array.from(text, quoteCharacter).join("")}"`;

/** `%q` of a list of strings: `["a" "b c"]`. */
export const formatQuotedList = (items: readonly string[]): string => `[${items.map(formatQuoted).join(" ")}]`;

/** `%v` of a list of strings: `[a b c]`. */
export const formatList = (items: readonly string[]): string => `[${items.join(" ")}]`;

const decimal = (value: number): string => String(Number(value.toFixed(9)));

/** A duration in nanoseconds: `1m30s`, `500ms`, `0s`. */
export function formatDuration(nanoseconds: number): string {
  if (nanoseconds === 0) return "0s";
  if (nanoseconds < 1e3) return `${nanoseconds}ns`;
  if (nanoseconds < 1e6) return `${decimal(nanoseconds / 1e3)}µs`;
  if (nanoseconds < 1e9) return `${decimal(nanoseconds / 1e6)}ms`;
  const wholeSeconds = Math.floor(nanoseconds / 1e9);
  const seconds = decimal((wholeSeconds % 60) + (nanoseconds % 1e9) / 1e9);
  const minutes = Math.floor(wholeSeconds / 60) % 60;
  const hours = Math.floor(wholeSeconds / 3600);
  if (hours > 0) return `${hours}h${minutes}m${seconds}s`;
  return minutes > 0 ? `${minutes}m${seconds}s` : `${seconds}s`;
}
