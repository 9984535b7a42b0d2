import { BuildError, isBuildError } from "../base/errors.ts";
import type { EscapeCharacter } from "./directives.ts";
import { shorten } from "./quote-text.ts";
import { ShellPattern } from "./shell-pattern.ts";
import { TextSink } from "./text-sink.ts";
import { isSpace } from "./white-space.ts";

/** Value of a variable, or undefined when it is not set. */
export type Lookup = (name: string) => string | undefined;

export interface LexerMode {
  readonly escape: EscapeCharacter;
  /** Quotes stay in the result. */
  readonly keepQuotes: boolean;
  /** Escape characters stay in the result. */
  readonly keepEscapes: boolean;
  /** `$name` of an unset variable stays as it is instead of becoming empty. */
  readonly keepUnset: boolean;
  /** Quotes mean nothing, as in the body of a heredoc. */
  readonly ignoreQuotes: boolean;
}

/** Nesting of `${a:-${b:-…}}`. */
const maxDepth = 1000;
/** Characters that variables may add to one text. */
const maxSubstituted = 1 << 20;
/** Comparisons the patterns of one text may make. */
const maxComparisons = 1 << 26;

const namePattern = /\p{Nd}+|[@*#?\-$!]|[\p{L}_][\p{L}\p{Nd}_]*/uy;

/**
 * Quotes, escapes and variables of a text, after the rules of BuildKit's own lexer, which are close to a POSIX
 * shell's. One object lexes one text once. Throws DOCKERFILE_BAD_SUBSTITUTION for what cannot be lexed and
 * DOCKERFILE_TOO_LARGE for what would grow or run beyond the limits above.
 */
export class WordLexer {
  readonly used = new Set<string>();
  readonly unset = new Set<string>();
  readonly words: string[] = [];
  readonly #text: string;
  readonly #lookup: Lookup;
  readonly #mode: LexerMode;
  readonly #word: TextSink | null;
  #isInWord = false;
  #at = 0;
  #depth = 0;
  #keepsEscapes: boolean;
  #substituted = 0;
  #comparisons = 0;

  /** With `splits`, `words` holds the words of the result after `run`. */
  constructor(text: string, lookup: Lookup, mode: LexerMode, splits: boolean) {
    this.#text = text;
    this.#lookup = lookup;
    this.#mode = mode;
    this.#keepsEscapes = mode.keepEscapes;
    this.#word = splits ? new TextSink() : null;
  }

  run(): string {
    const result = this.#readUntil(null, this.#mode.keepEscapes);
    this.#endWord();
    return result;
  }

  /** Reads up to and including `stop`, or to the end when it is null. */
  #readUntil(stop: string | null, keepsEscapes: boolean): string {
    if (this.#depth >= maxDepth) throw tooLarge(`substitutions are nested deeper than ${maxDepth}`);
    this.#depth += 1;
    const outerKeepsEscapes = this.#keepsEscapes;
    this.#keepsEscapes = keepsEscapes;
    const result = new TextSink();
    while (this.#at < this.#text.length) {
      const char = this.#text[this.#at] as string;
      if (char === stop) {
        this.#at += 1;
        this.#depth -= 1;
        this.#keepsEscapes = outerKeepsEscapes;
        return result.take();
      }
      if (char === "$") this.#addSplit(result, this.#readDollar());
      else if (char === "<") this.#addWhole(result, this.#readLess());
      else if (char === "'" && !this.#mode.ignoreQuotes) this.#addWhole(result, this.#readSingleQuoted());
      else if (char === '"' && !this.#mode.ignoreQuotes) this.#addWhole(result, this.#readDoubleQuoted());
      else if (char === this.#mode.escape) this.#addEscaped(result);
      else this.#addSplit(result, this.#readPlain(stop));
    }
    if (stop !== null) throw bad(`unexpected end of statement while looking for matching ${stop}`);
    this.#depth -= 1;
    return result.take();
  }

  /** Adds text whose white space separates words. */
  #addSplit(result: TextSink, text: string): void {
    result.append(text);
    if (!this.#isCollecting()) return;
    let start = 0;
    for (let index = 0; index < text.length; index += 1) {
      if (!isSpace(text.charCodeAt(index))) continue;
      if (index > start) this.#addToWord(text.slice(start, index));
      if (this.#isInWord) this.#endWord();
      start = index + 1;
    }
    if (start < text.length) this.#addToWord(text.slice(start));
  }

  /** Adds text that belongs to one word, white space included. */
  #addWhole(result: TextSink, text: string): void {
    result.append(text);
    this.#addToWord(text);
  }

  /** The words of an operand are not words of the text. */
  #isCollecting(): boolean {
    return this.#word !== null && this.#depth === 1;
  }

  #addToWord(text: string): void {
    if (!this.#isCollecting()) return;
    this.#word?.append(text);
    this.#isInWord = true;
  }

  #endWord(): void {
    if (this.#word === null || this.#word.length === 0) return;
    this.words.push(this.#word.take());
    this.#isInWord = false;
  }

  #addEscaped(result: TextSink): void {
    if (this.#keepsEscapes) this.#addWhole(result, this.#mode.escape);
    this.#at += 1;
    const char = this.#text[this.#at];
    if (char === undefined) return;
    this.#at += 1;
    this.#addWhole(result, char);
  }

  /** Everything up to the next character that may mean something. */
  #readPlain(stop: string | null): string {
    const start = this.#at;
    const text = this.#text;
    let at = start + 1;
    while (at < text.length) {
      const char = text[at];
      if (char === "$" || char === "<" || char === "'" || char === '"' || char === this.#mode.escape || char === stop)
        break;
      at += 1;
    }
    this.#at = at;
    return text.slice(start, at);
  }

  /** `<`, or `<<` with the blanks after it: they do not end a word, the name of a heredoc may follow them. */
  #readLess(): string {
    const start = this.#at;
    this.#at += 1;
    if (this.#text[this.#at] === "<") {
      this.#at += 1;
      while (/^[\t\r ]$/.test(this.#text[this.#at] ?? "")) this.#at += 1;
    }
    return this.#text.slice(start, this.#at);
  }

  #readSingleQuoted(): string {
    const end = this.#text.indexOf("'", this.#at + 1);
    if (end < 0) {
      this.#at = this.#text.length;
      throw bad("unexpected end of statement while looking for matching single-quote");
    }
    const inner = this.#mode.keepQuotes ? this.#text.slice(this.#at, end + 1) : this.#text.slice(this.#at + 1, end);
    this.#at = end + 1;
    return inner;
  }

  #readDoubleQuoted(): string {
    const result = new TextSink();
    if (this.#mode.keepQuotes) result.append('"');
    this.#at += 1;
    for (;;) {
      const char = this.#text[this.#at];
      if (char === undefined) throw bad("unexpected end of statement while looking for matching double-quote");
      if (char === '"') {
        this.#at += 1;
        if (this.#mode.keepQuotes) result.append('"');
        return result.take();
      }
      if (char === "$") {
        result.append(this.#readDollar());
        continue;
      }
      this.#at += 1;
      if (char !== this.#mode.escape) {
        result.append(char);
        continue;
      }
      if (this.#keepsEscapes) result.append(char);
      const next = this.#text[this.#at];
      if (next === undefined) continue;
      if (next === '"' || next === "$" || next === this.#mode.escape) {
        this.#at += 1;
        result.append(next);
      } else {
        result.append(char);
      }
    }
  }

  #readDollar(): string {
    this.#at += 1;
    if (this.#text[this.#at] === "{") {
      this.#at += 1;
      return this.#readBraced();
    }
    const name = this.#readName();
    if (name === "") return "$";
    const value = this.#valueOf(name);
    return value ?? (this.#mode.keepUnset ? `$${name}` : "");
  }

  #readName(): string {
    namePattern.lastIndex = this.#at;
    const name = namePattern.exec(this.#text)?.[0] ?? "";
    this.#at += name.length;
    return name;
  }

  /** What stands after `${`, the closing brace included. */
  #readBraced(): string {
    const first = this.#text[this.#at];
    if (first === undefined) throw bad("syntax error: missing '}'");
    if (first === "{" || first === "}" || first === ":") throw bad("syntax error: bad substitution");
    const name = this.#readName();
    const modifier = this.#readModifier();
    switch (modifier) {
      case "}":
        return this.#valueOf(name) ?? (this.#mode.keepUnset ? `\${${name}}` : "");
      case "/":
        return this.#replace(name);
      case "#":
      case "%":
        return this.#trimMatch(name, modifier);
      case "+":
      case "-":
      case "?":
      case ":+":
      case ":-":
      case ":?":
        return this.#choose(name, modifier);
      default:
        if (this.#at >= this.#text.length && !modifier.endsWith("}")) throw bad("syntax error: missing '}'");
        throw bad(`unsupported modifier (${modifier}) in substitution`);
    }
  }

  /** The character after the name; two when the first is a colon. U+FFFD stands for the end of the text. */
  #readModifier(): string {
    const first = this.#readCharacter();
    return first === ":" ? first + this.#readCharacter() : first;
  }

  #readCharacter(): string {
    const point = this.#text.codePointAt(this.#at);
    if (point === undefined) return "\ufffd";
    const char = String.fromCodePoint(point);
    this.#at += char.length;
    return char;
  }

  #choose(name: string, modifier: string): string {
    const word = this.#readOperand("}", false, "syntax error: missing '}'");
    const value = this.#valueOf(name);
    if (value === undefined && this.#mode.keepUnset) return `\${${name}${modifier}${word}}`;
    const isMissing = value === undefined || (value === "" && modifier.startsWith(":"));
    if (modifier.endsWith("+")) return isMissing ? "" : word;
    if (!isMissing) return value;
    if (modifier.endsWith("-")) return word;
    const reason = word || `is not allowed to be ${value === undefined ? "unset" : "empty"}`;
    throw bad(`${name}: ${shorten(reason)}`);
  }

  #trimMatch(name: string, modifier: "#" | "%"): string {
    const word = this.#readOperand("}", true, "syntax error: missing '}'");
    const value = this.#valueOf(name);
    if (value === undefined && this.#mode.keepUnset) return `\${${name}${modifier}${word}}`;
    const isLongest = word.startsWith(modifier);
    const pattern = new ShellPattern(isLongest ? word.slice(1) : word);
    this.#charge(pattern, value ?? "");
    return modifier === "#" ? pattern.trimPrefix(value ?? "", isLongest) : pattern.trimSuffix(value ?? "", isLongest);
  }

  #replace(name: string): string {
    const isForAll = this.#text[this.#at] === "/";
    if (isForAll) this.#at += 1;
    const word = this.#readOperand("/", true, `syntax error: missing '/' in \${}`);
    const replacement = this.#readOperand("}", true, "syntax error: missing '}'");
    const value = this.#valueOf(name);
    if (value === undefined && this.#mode.keepUnset) return `\${${name}/${word}/${replacement}}`;
    const pattern = new ShellPattern(word);
    this.#charge(pattern, value ?? "");
    if (!isForAll) return pattern.replaceFirst(value ?? "", replacement);
    const replaced = pattern.replaceAll(value ?? "", replacement, maxSubstituted);
    this.#count(replaced);
    return replaced;
  }

  /** The text of a modifier. When it does not lex because the whole text ends, `whenEnded` says so. */
  #readOperand(stop: string, keepsEscapes: boolean, whenEnded: string): string {
    try {
      const operand = this.#readUntil(stop, keepsEscapes);
      // BuildKit forgets what the current word held before an operand: 80${x:-1} splits into "1", not "801".
      this.#word?.take();
      return operand;
    } catch (error) {
      const isAtEnd = this.#at >= this.#text.length;
      throw isAtEnd && isBuildError(error, "DOCKERFILE_BAD_SUBSTITUTION") ? bad(whenEnded) : error;
    }
  }

  #valueOf(name: string): string | undefined {
    const value = this.#lookup(name);
    (value === undefined ? this.unset : this.used).add(name);
    if (value !== undefined) this.#count(value);
    return value;
  }

  #count(text: string): void {
    this.#substituted += text.length;
    if (this.#substituted > maxSubstituted)
      throw tooLarge(`variables make it longer than ${maxSubstituted} characters`);
  }

  #charge(pattern: ShellPattern, value: string): void {
    this.#comparisons += pattern.costOn(value);
    if (this.#comparisons > maxComparisons) throw tooLarge("its patterns take too long on values of this length");
  }
}

const bad = (message: string): BuildError => new BuildError("DOCKERFILE_BAD_SUBSTITUTION", message);
const tooLarge = (message: string): BuildError => new BuildError("DOCKERFILE_TOO_LARGE", message);
