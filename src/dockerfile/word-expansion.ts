import { BuildError, isBuildError } from "../base/errors.ts";
import type { EscapeCharacter } from "./directives.ts";
import { quoteText, wordDetail } from "./quote-text.ts";
import { type LexerMode, type Lookup, WordLexer } from "./word-lexer.ts";

export type { Lookup } from "./word-lexer.ts";

/** An expanded text and the variables in it. */
export interface Expansion {
  readonly text: string;
  /** Names that had a value. */
  readonly used: ReadonlySet<string>;
  /** Names that had none, whether a default stood in or not. */
  readonly unset: ReadonlySet<string>;
}

/** An expanded text as words. */
export interface WordsExpansion {
  readonly words: readonly string[];
  readonly used: ReadonlySet<string>;
  readonly unset: ReadonlySet<string>;
}

/**
 * A word of an instruction with its variables replaced and its quotes and escapes removed. `escapeChar` is the Dockerfile's
 * escape character. Throws DOCKERFILE_BAD_SUBSTITUTION, DOCKERFILE_TOO_LARGE.
 */
export function expandWord(text: string, lookup: Lookup, escapeChar: EscapeCharacter): Expansion {
  return lex(text, lookup, modeOf(escapeChar), false);
}

/** The same, split at white space afterwards; quoted text is not split. For EXPOSE. */
export function expandWords(text: string, lookup: Lookup, escapeChar: EscapeCharacter): WordsExpansion {
  return lex(text, lookup, modeOf(escapeChar), true);
}

/**
 * The body of a heredoc with its variables replaced. Quotes are plain text; `\` escapes, whatever the Dockerfile's
 * escape character is: `\$` is `$`, `\\` is `\`, before anything else the backslash is dropped.
 */
export function expandHeredoc(content: string, lookup: Lookup): Expansion {
  return lex(content, lookup, { ...modeOf("\\"), ignoreQuotes: true }, false);
}

const modeOf = (escapeChar: EscapeCharacter): LexerMode => ({
  escape: escapeChar,
  keepQuotes: false,
  keepEscapes: false,
  keepUnset: false,
  ignoreQuotes: false,
});

function lex(text: string, lookup: Lookup, mode: LexerMode, splits: boolean): Expansion & WordsExpansion {
  const lexer = new WordLexer(text, lookup, mode, splits);
  try {
    return { text: lexer.run(), words: lexer.words, used: lexer.used, unset: lexer.unset };
  } catch (error) {
    if (!isBuildError(error)) throw error;
    throw new BuildError(error.code, `${quoteText(text)}: ${error.message}`, {
      cause: error,
      details: wordDetail(text),
    });
  }
}
