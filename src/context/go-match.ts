import { BuildError } from "../base/errors.ts";
import { classContains, codePointsOf, type GlobClass, readGlobClass } from "./glob-class.ts";

type Token =
  | { readonly kind: "char"; readonly char: number }
  | { readonly kind: "any" }
  | { readonly kind: "class"; readonly value: GlobClass }
  | { readonly kind: "star" };

/** A wildcard pattern as Go's `filepath.Match` on Linux reads it. */
export interface GoPattern {
  /** Whether the whole of `name` fits. "*" and "?" do not match "/". */
  matches(name: string): boolean;
}

/** Whether `pattern` holds anything but plain characters. */
export const hasWildcard = (pattern: string): boolean => /[*?[\\]/.test(pattern);

/** Reads a pattern of `filepath.Match`: `*`, `?`, `[a-z]`, `[^a-z]`, `\c`. Throws DOCKERFILE_BAD_ARGUMENT when it is malformed. */
export function parseGoPattern(pattern: string): GoPattern {
  const tokens = readTokens(pattern);
  if (tokens === null)
    throw new BuildError("DOCKERFILE_BAD_ARGUMENT", `pattern ${JSON.stringify(pattern)}: syntax error in pattern`);
  return { matches: (name) => matchTokens(tokens, codePointsOf(name)) };
}

function readTokens(pattern: string): readonly Token[] | null {
  const chars = codePointsOf(pattern);
  const tokens: Token[] = [];
  for (let at = 0; at < chars.length; ) {
    const char = chars[at] as number;
    at += 1;
    if (char === star) {
      if (tokens.at(-1)?.kind !== "star") tokens.push({ kind: "star" });
    } else if (char === question) {
      tokens.push({ kind: "any" });
    } else if (char === opening) {
      const read = readGlobClass(chars, at);
      if (read === null) return null;
      tokens.push({ kind: "class", value: read.value });
      at = read.next;
    } else if (char === backslash) {
      const escaped = chars[at];
      if (escaped === undefined) return null;
      tokens.push({ kind: "char", char: escaped });
      at += 1;
    } else {
      tokens.push({ kind: "char", char });
    }
  }
  return tokens;
}

const slash = 0x2f;
const star = 0x2a;
const question = 0x3f;
const opening = 0x5b;
const backslash = 0x5c;

/**
 * On a mismatch only the last star is tried with one character more: what an earlier star could take, the last one
 * can take as well. So the time is at most the product of both lengths.
 */
function matchTokens(tokens: readonly Token[], name: readonly number[]): boolean {
  let token = 0;
  let char = 0;
  let lastStar = -1;
  let starEnd = 0;
  while (char < name.length) {
    const current = tokens[token];
    if (current?.kind === "star") {
      lastStar = token;
      starEnd = char;
      token += 1;
    } else if (current !== undefined && fits(current, name[char] as number)) {
      token += 1;
      char += 1;
    } else if (lastStar !== -1 && name[starEnd] !== slash) {
      starEnd += 1;
      char = starEnd;
      token = lastStar + 1;
    } else {
      return false;
    }
  }
  while (tokens[token]?.kind === "star") token += 1;
  return token === tokens.length;
}

function fits(token: Token, char: number): boolean {
  if (token.kind === "char") return token.char === char;
  if (token.kind === "class") return classContains(token.value, char);
  return token.kind === "any" && char !== slash;
}
