import { BuildError, isBuildError } from "../base/errors.ts";
import type { Heredoc } from "./instruction.ts";
import { isSpace } from "./white-space.ts";
import { type LexerMode, WordLexer } from "./word-lexer.ts";

/** The word that announces a heredoc: `<<EOF`, `3<<-"EOF"`. */
export type HeredocWord = Omit<Heredoc, "content">;

/** Heredocs are lexed with the backslash, whatever the Dockerfile's escape character is. */
const nameMode: LexerMode = {
  escape: "\\",
  keepQuotes: false,
  keepEscapes: false,
  keepUnset: true,
  ignoreQuotes: false,
};
const rawNameMode: LexerMode = { ...nameMode, keepQuotes: true };
const lineMode: LexerMode = { ...nameMode, keepQuotes: true, keepEscapes: true };

const announcement = /^(\d*)<<(-?)/;
/** Heredocs of one instruction. */
const maxHeredocs = 100_000;

/** The heredocs that a logical line announces, in order; none when the line does not lex as shell words. Throws DOCKERFILE_TOO_LARGE. */
export function findHeredocs(line: string): HeredocWord[] {
  if (!line.includes("<<")) return [];
  const words = (wordsOf(line, lineMode) ?? []).filter((word) => announcement.test(word));
  if (words.length > maxHeredocs)
    throw new BuildError("DOCKERFILE_TOO_LARGE", `the instruction has more than ${maxHeredocs} heredocs`);
  return words.map(parseHeredocWord).filter((heredoc) => heredoc !== null);
}

/** A word as a heredoc's announcement, or null when it is none. */
export function parseHeredocWord(word: string): HeredocWord | null {
  const match = announcement.exec(word);
  if (match === null) return null;
  let start = match[0].length;
  while (start < word.length && isSpace(word.charCodeAt(start))) start += 1;
  const written = word.slice(start);
  if (written.includes("<")) return null;
  const name = parseName(written);
  if (name === null) return null;
  const digits = match[1] ?? "";
  return {
    ...name,
    chomp: match[2] === "-",
    fileDescriptor: digits === "" ? null : Math.min(Number(digits), Number.MAX_SAFE_INTEGER),
  };
}

/** The name without its quotes; any quote that went says that the body is not expanded. */
function parseName(written: string): Pick<HeredocWord, "name" | "expand"> | null {
  if (/^[\w.-]+$/.test(written)) return { name: written, expand: true };
  const [name, second] = wordsOf(written, nameMode) ?? [];
  const [rawName] = wordsOf(written, rawNameMode) ?? [];
  if (name === undefined || rawName === undefined || second !== undefined) return null;
  return { name, expand: quotesIn(name) === quotesIn(rawName) };
}

/** The body as it is meant: `<<-` removes the tabs at the start of every line. */
export function heredocText(heredoc: Heredoc): string {
  return heredoc.chomp ? heredoc.content.replace(/(^|\n)\t+/g, "$1") : heredoc.content;
}

const quotesIn = (text: string): number => text.split(/['"]/).length;

function wordsOf(text: string, mode: LexerMode): readonly string[] | null {
  const lexer = new WordLexer(text, () => undefined, mode, true);
  try {
    lexer.run();
    return lexer.words;
  } catch (error) {
    if (isBuildError(error)) return null;
    throw error;
  }
}
