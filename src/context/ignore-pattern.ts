import { BuildError } from "../base/errors.ts";
import { cleanPath, trimSpace } from "./clean-path.ts";
import { codePointsOf, readGlobClass } from "./glob-class.ts";
import { GlobProgram, type GlobToken } from "./glob-program.ts";

/**
 * What a pattern of .dockerignore means, as far as moby/patternmatcher tells apart: `name` is one path, `prefix` and
 * `suffix` come from `x**` and `**x`, everything else is a glob.
 */
export type PatternForm =
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "prefix"; readonly prefix: string }
  | { readonly kind: "suffix"; readonly suffix: string }
  | { readonly kind: "glob"; readonly program: GlobProgram };

export interface ParsedPattern {
  /** Written with a "!" in front: what it matches is kept after all. */
  readonly isException: boolean;
  /** Cleaned, without "!". */
  readonly text: string;
  readonly form: PatternForm;
}

/**
 * Reads one pattern as moby/patternmatcher does: trimmed, cleaned like a path, "!" in front for an exception. null for
 * an empty one. Throws CONTEXT_IGNORE_INVALID when it is malformed.
 * Three oddities are not followed: a letter after "\" is literal, "*" and "?" inside "[]" are members, "^" is no anchor.
 */
export function parsePattern(written: string): ParsedPattern | null {
  const trimmed = trimSpace(written);
  if (trimmed === "") return null;
  if (trimmed.length > longestPattern)
    throw invalid(`${trimmed.slice(0, 100)}…`, `${trimmed.length} characters, want at most ${longestPattern}`);
  const cleaned = cleanPath(trimmed);
  const isException = cleaned.startsWith("!");
  const text = isException ? cleaned.slice(1) : cleaned;
  if (text === "") throw invalid(written, 'illegal exclusion pattern: "!"');
  return { isException, text, form: formOf(text, written) };
}

const longestPattern = 65_535;

const invalid = (written: string, problem: string): BuildError =>
  new BuildError("CONTEXT_IGNORE_INVALID", `pattern ${JSON.stringify(written)}: ${problem}`);

const slash = 0x2f;
const star = 0x2a;
const question = 0x3f;
const opening = 0x5b;
const closing = 0x5d;
const backslash = 0x5c;

function formOf(text: string, written: string): PatternForm {
  const chars = codePointsOf(text);
  const malformed = (): BuildError => invalid(written, "syntax error in pattern");
  const tokens: GlobToken[] = [];
  let kind: PatternForm["kind"] = "name";
  for (let at = 0; at < chars.length; ) {
    const char = chars[at] as number;
    const isFirst = at === 0;
    at += 1;
    if (char === star && chars[at] === star) {
      at += chars[at + 1] === slash ? 2 : 1;
      const isLast = at >= chars.length;
      tokens.push({ kind: isLast ? "rest" : "folders" });
      if (isFirst) kind = "suffix";
      else kind = isLast && kind === "name" ? "prefix" : "glob";
    } else if (char === star || char === question) {
      tokens.push({ kind: char === star ? "star" : "any" });
      kind = "glob";
    } else if (char === opening) {
      const read = readGlobClass(chars, at);
      if (read === null || read.value.ranges.some(({ from, to }) => from > to)) throw malformed();
      tokens.push({ kind: "class", value: read.value });
      at = read.next;
      kind = "glob";
    } else if (char === backslash) {
      const escaped = chars[at];
      if (escaped === undefined) throw malformed();
      tokens.push({ kind: "char", char: escaped });
      at += 1;
      kind = "glob";
    } else {
      tokens.push({ kind: "char", char });
      if (char === closing) kind = "glob";
    }
  }
  if (kind === "name") return { kind, name: text };
  if (kind === "prefix") return { kind, prefix: text.slice(0, text.lastIndexOf("**")) };
  if (kind === "suffix") return { kind, suffix: text.slice(2) };
  return { kind, program: new GlobProgram(tokens) };
}
