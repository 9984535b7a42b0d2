import type { EscapeCharacter } from "./directives.ts";
import { cutAtSeparator, isAsciiSpace, trim } from "./white-space.ts";

/** A logical line taken apart: `COPY --chown="1:2" a b`. */
export interface CommandParts {
  /** As written: `Copy`. */
  readonly keyword: string;
  /** Leading `--` words, quotes and escape characters removed. */
  readonly flags: readonly string[];
  /** Everything after the flags, trimmed. */
  readonly rest: string;
}

export function splitCommand(line: string, escapeChar: EscapeCharacter): CommandParts {
  const trimmed = trim(line);
  const cut = cutAtSeparator(trimmed);
  if (cut === null) return { keyword: trimmed, flags: [], rest: "" };
  const [flags, rest] = takeFlags(cut[1], escapeChar);
  return { keyword: cut[0], flags, rest: trim(rest) };
}

/** The words at the start of `text` that begin with `--`, and the text after them. A bare `--` ends the flags. */
function takeFlags(text: string, escapeChar: EscapeCharacter): readonly [readonly string[], string] {
  const flags: string[] = [];
  let at = 0;
  for (;;) {
    while (at < text.length && isAsciiSpace(text.charCodeAt(at))) at += 1;
    if (!text.startsWith("--", at)) return [flags, text.slice(at)];
    const word = readWord(text, at, escapeChar);
    at = word.end;
    if (word.text === "--") return [flags, text.slice(at)];
    flags.push(word.text);
  }
}

/** A word up to white space outside of quotes; an escape character stands for the character after it. */
function readWord(
  text: string,
  start: number,
  escapeChar: EscapeCharacter,
): { readonly text: string; readonly end: number } {
  let word = "";
  let quote: string | null = null;
  let at = start;
  for (; at < text.length; at += 1) {
    const char = text[at] as string;
    if (char === quote) quote = null;
    else if (quote === null && isAsciiSpace(text.charCodeAt(at))) break;
    else if (quote === null && (char === "'" || char === '"')) quote = char;
    else if (char === escapeChar) {
      at += 1;
      word += text[at] ?? "";
    } else word += char;
  }
  return { text: word, end: Math.min(at, text.length) };
}
