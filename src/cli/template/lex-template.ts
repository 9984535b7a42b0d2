import { templateFailure } from "./template-failure.ts";

/** A piece of a template; `at` counts characters from its start. */
export type Token =
  | { readonly kind: "text"; readonly at: number; readonly text: string }
  | { readonly kind: "open" | "close"; readonly at: number; readonly text: string }
  /** `text` is the word as written: `.`, `.Name`, `$x`, `range`, `12`, `|`, `:=`, `(`. */
  | { readonly kind: "field" | "variable" | "word" | "number" | "sign"; readonly at: number; readonly text: string }
  /** `text` is what the literal stands for. */
  | { readonly kind: "string"; readonly at: number; readonly text: string }
  | { readonly kind: "blank"; readonly at: number; readonly text: string };

const patterns: readonly (readonly [Exclude<Token["kind"], "text" | "open" | "close">, RegExp])[] = [
  ["blank", /[ \t\r\n]+/y],
  ["string", /"(?:[^"\\\n]|\\[^\n])*"|`[^`]*`/y],
  ["field", /\.[\p{L}_][\p{L}\p{Nd}_]*/uy],
  ["variable", /\$(?:[\p{L}_][\p{L}\p{Nd}_]*)?/uy],
  ["number", /[+-]?(?:0[xX][0-9a-fA-F]{1,13}|\d{1,15}(?:\.\d{1,15})?)(?![\p{L}\p{Nd}_])/uy],
  ["word", /[\p{L}_][\p{L}\p{Nd}_]*/uy],
  ["sign", /:=|[|=(),.]/y],
];

/** Splits a template into text and the tokens of its actions; white space next to `{{-` and `-}}` is gone. */
export function lexTemplate(source: string): readonly Token[] {
  const tokens: Token[] = [];
  let isTrimmed = false;
  for (let at = 0; at < source.length; ) {
    const open = source.indexOf("{{", at);
    const text = source.slice(at, open < 0 ? source.length : open);
    const trimsBefore = open >= 0 && /^-[ \t\r\n]/.test(source.slice(open + 2, open + 4));
    const left = isTrimmed ? text.replace(/^[ \t\r\n]+/, "") : text;
    const kept = trimsBefore ? trimBlankEnd(left) : left;
    if (kept !== "") tokens.push({ kind: "text", at, text: kept });
    if (open < 0) break;
    const start = open + (trimsBefore ? 3 : 2);
    const comment = /^[ \t\r\n]*\/\*/.exec(source.slice(start, start + 100));
    const end = comment === null ? lexAction(source, open, start, tokens) : skipComment(source, open, start);
    isTrimmed = end.isTrimmed;
    at = end.at;
  }
  return tokens;
}

/** A regular expression for this would look at every run of blanks anew from each of its characters. */
function trimBlankEnd(text: string): string {
  let end = text.length;
  while (end > 0 && " \t\r\n".includes(text[end - 1] as string)) end -= 1;
  return text.slice(0, end);
}

interface ActionEnd {
  /** Behind the `}}`. */
  readonly at: number;
  readonly isTrimmed: boolean;
}

function skipComment(source: string, open: number, start: number): ActionEnd {
  const closing = source.indexOf("*/", start);
  const end = closing < 0 ? null : /^([ \t\r\n]+-)?\}\}/.exec(source.slice(closing + 2, closing + 100));
  if (end === null) throw templateFailure(source, open, "comment is not closed: want */}}");
  return { at: closing + 2 + end[0].length, isTrimmed: end[1] !== undefined };
}

function lexAction(source: string, open: number, start: number, tokens: Token[]): ActionEnd {
  tokens.push({ kind: "open", at: open, text: "{{" });
  for (let at = start; at < source.length; ) {
    const end = /^(?:[ \t\r\n]-)?\}\}/.exec(source.slice(at, at + 4));
    if (end !== null) {
      tokens.push({ kind: "close", at, text: "}}" });
      return { at: at + end[0].length, isTrimmed: end[0].length > 2 };
    }
    const token = lexToken(source, at);
    tokens.push(token.token);
    at = token.end;
  }
  throw templateFailure(source, open, "action is not closed: want }}");
}

function lexToken(source: string, at: number): { readonly token: Token; readonly end: number } {
  for (const [kind, pattern] of patterns) {
    pattern.lastIndex = at;
    const text = pattern.exec(source)?.[0];
    if (text === undefined) continue;
    const end = kind === "blank" ? endOfBlank(source, at, text) : at + text.length;
    return { token: { kind, at, text: kind === "string" ? unquote(source, at, text) : text }, end };
  }
  const char = String.fromCodePoint(source.codePointAt(at) ?? 0);
  const problem = char === '"' || char === "`" ? "string is not closed" : `unexpected ${JSON.stringify(char)}`;
  throw templateFailure(source, at, problem);
}

/** The last blank before `-}}` belongs to that. */
function endOfBlank(source: string, at: number, text: string): number {
  const end = at + text.length;
  return source.startsWith("-}}", end) ? Math.max(end - 1, at) : end;
}

const escapes: Readonly<Record<string, string>> = {
  n: "\n",
  t: "\t",
  r: "\r",
  a: "\x07",
  b: "\b",
  f: "\f",
  v: "\v",
  "\\": "\\",
  '"': '"',
  "'": "'",
};

function unquote(source: string, at: number, literal: string): string {
  const inner = literal.slice(1, -1);
  if (literal.startsWith("`")) return inner;
  return inner.replace(/\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|(.))/gsu, (written, byte, unit, letter) => {
    const code = byte ?? unit;
    if (code !== undefined) return String.fromCharCode(Number.parseInt(code, 16));
    const meant = escapes[letter];
    if (meant === undefined) throw templateFailure(source, at, `unknown escape ${JSON.stringify(written)} in a string`);
    return meant;
  });
}
