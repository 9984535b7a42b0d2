import { BuildError } from "../base/errors.ts";
import { shorten } from "./quote-text.ts";

/** What a pattern of `${x#pattern}` and its like is made of: `*`, `?`, or one literal character. */
type Token = { readonly kind: "star" } | { readonly kind: "any" } | { readonly kind: "literal"; readonly char: string };

/** A shell pattern: `*` and `?` do not match a newline, there are no bracket expressions. */
export class ShellPattern {
  readonly #tokens: readonly Token[];

  /** Throws DOCKERFILE_BAD_SUBSTITUTION for an escape other than `\*` `\?` `\\` `\}` `\/`. */
  constructor(text: string) {
    this.#tokens = tokensOf(text);
  }

  /** Comparisons that matching against `value` takes: every token at every place. */
  costOn(value: string): number {
    return (this.#tokens.length + 1) * (value.length + 1);
  }

  /** `value` without the shortest or longest prefix that matches; `value` itself when none does. */
  trimPrefix(value: string, longest: boolean): string {
    const chars = Array.from(value);
    const end = matchEnds(this.#tokens, chars, longest)[0] ?? -1;
    return end < 0 ? value : chars.slice(end).join("");
  }

  /** `value` without the shortest or longest suffix that matches. */
  trimSuffix(value: string, longest: boolean): string {
    const chars = Array.from(value).reverse();
    const end = matchEnds(this.#tokens.toReversed(), chars, longest)[0] ?? -1;
    return end < 0 ? value : chars.slice(end).reverse().join("");
  }

  /** `value` with its first match, the longest one at the leftmost place, replaced. */
  replaceFirst(value: string, replacement: string): string {
    const chars = Array.from(value);
    const ends = matchEnds(this.#tokens, chars, true);
    const start = ends.findIndex((end) => end >= 0);
    if (start < 0) return value;
    return chars.slice(0, start).join("") + replacement + chars.slice(ends[start]).join("");
  }

  /**
   * `value` with all matches replaced. In the replacement `$0` stands for the match, `$$` for a dollar and any other
   * `$name` for nothing, as in a Go regular expression. Throws DOCKERFILE_TOO_LARGE beyond `maxLength` characters.
   */
  replaceAll(value: string, replacement: string, maxLength: number): string {
    const chars = Array.from(value);
    const ends = matchEnds(this.#tokens, chars, true);
    const parts: string[] = [];
    let length = 0;
    const add = (part: string): void => {
      parts.push(part);
      length += part.length;
      if (length > maxLength)
        throw new BuildError("DOCKERFILE_TOO_LARGE", `a replacement makes a value longer than ${maxLength} characters`);
    };
    let copied = 0;
    let at = 0;
    while (at <= chars.length) {
      const end = ends[at] ?? -1;
      const isEmptyAfterMatch = end === at && at === copied && at > 0;
      if (end >= 0 && !isEmptyAfterMatch) {
        for (const char of chars.slice(copied, at)) add(char);
        add(fillTemplate(replacement, chars.slice(at, end).join("")));
        copied = end;
      }
      at = end > at ? end : at + 1;
    }
    for (const char of chars.slice(copied)) add(char);
    return parts.join("");
  }
}

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  const chars = Array.from(text);
  for (let index = 0; index < chars.length; index += 1) {
    const char = chars[index] as string;
    if (char === "*") tokens.push({ kind: "star" });
    else if (char === "?") tokens.push({ kind: "any" });
    else if (char !== "\\") tokens.push({ kind: "literal", char });
    else {
      index += 1;
      const escaped = chars[index] ?? "\ufffd";
      if (!"*?\\}/".includes(escaped))
        throw new BuildError(
          "DOCKERFILE_BAD_SUBSTITUTION",
          `invalid pattern (${shorten(text)}) in substitution: invalid escape '\\${escaped}'`,
        );
      tokens.push({ kind: "literal", char: escaped });
    }
  }
  return tokens;
}

/** For every start in `chars` (its end included) where the longest or shortest match ends; -1 where none begins. */
function matchEnds(tokens: readonly Token[], chars: readonly string[], longest: boolean): Int32Array {
  const better = longest ? Math.max : Math.min;
  let ends = Int32Array.from({ length: chars.length + 1 }, (_, index) => index);
  for (const token of tokens.toReversed()) {
    const next = new Int32Array(chars.length + 1).fill(-1);
    for (let at = chars.length; at >= 0; at -= 1) {
      const mayPass = at < chars.length && chars[at] !== "\n";
      if (token.kind === "star") {
        const stopped = ends[at] ?? -1;
        const goneOn = mayPass ? (next[at + 1] ?? -1) : -1;
        next[at] = stopped < 0 || goneOn < 0 ? Math.max(stopped, goneOn) : better(stopped, goneOn);
      } else if (token.kind === "any" ? mayPass : chars[at] === token.char) {
        next[at] = ends[at + 1] ?? -1;
      }
    }
    ends = next;
  }
  return ends;
}

function fillTemplate(template: string, match: string): string {
  return template.replace(
    /\$(?:\$|\{([\p{L}\p{Nd}_]+)\}|([\p{L}\p{Nd}_]+))/gu,
    (whole, braced?: string, plain?: string) => (whole === "$$" ? "$" : (braced ?? plain) === "0" ? match : ""),
  );
}
