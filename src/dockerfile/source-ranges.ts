import type { Argument, Instruction } from "dockerfile-ast";
import type { SourceLocation } from "../base/source-location.ts";
import { DirectiveReader, type EscapeCharacter } from "./directives.ts";
import type { LineRange } from "./excerpt.ts";
import { withoutContinuation } from "./parse-source.ts";
import { trimLineEnd, trimStart } from "./white-space.ts";

/** Where the parts of an instruction stand. A part that a continuation splits has the range of its first line. */
export interface InstructionRanges {
  readonly keyword: LineRange;
  /** Flags and arguments in order; a heredoc's body is none. */
  readonly arguments: readonly LineRange[];
}

/** Longer instructions get no ranges: they serve a message, and reading them must not take long. */
const maxHeaderLength = 100_000;

/**
 * The ranges of the instruction at `location`; null when dockerfile-ast, which finds them, does not see one
 * instruction there. It gets that instruction alone, without what it reads differently: comments, blank lines,
 * heredocs, escape characters that are not at the end of a line. It is loaded when it is first needed.
 */
export async function rangesOf(text: string, location: SourceLocation): Promise<InstructionRanges | null> {
  const header = headerLines(text, location);
  if (header.length === 0 || header.join("").length > maxHeaderLength) return null;
  const { DockerfileParser } = await import("dockerfile-ast");
  const [instruction, second] = DockerfileParser.parse(header.join("\n")).getInstructions();
  if (instruction === undefined || second !== undefined) return null;
  const keyword = instruction.getInstructionRange();
  if (keyword.start.line !== 0) return null;
  const toLineRange = ({ start, end }: ReturnType<Argument["getRange"]>): LineRange => ({
    line: location.startLine + start.line,
    startColumn: start.character + 1,
    endColumn: (start.line === end.line ? end.character : (header[start.line]?.length ?? 0)) + 1,
  });
  return { keyword: toLineRange(keyword), arguments: partsOf(instruction).map((part) => toLineRange(part.getRange())) };
}

/** The part of the instruction that holds `word`: the one that is it, begins with it or contains it. */
export function rangeOfWord(text: string, ranges: InstructionRanges, word: string): LineRange | null {
  const lines = text.split("\n");
  const written = ({ line, startColumn, endColumn }: LineRange): string =>
    (lines[line - 1] ?? "").slice(startColumn - 1, endColumn - 1);
  const parts = [ranges.keyword, ...ranges.arguments].map((range) => ({ range, text: written(range) }));
  const found =
    parts.find((part) => part.text === word) ??
    parts.find((part) => part.text.startsWith(word)) ??
    parts.find((part) => part.text.includes(word));
  return found?.range ?? null;
}

function partsOf(instruction: Instruction): readonly { getRange(): ReturnType<Argument["getRange"]> }[] {
  const flags = "getFlags" in instruction ? (instruction.getFlags as () => Argument[]).call(instruction) : [];
  return [...flags, ...instruction.getArguments()];
}

/** The lines of the instruction without heredoc bodies, of the same width, in words dockerfile-ast reads as we do. */
function headerLines(text: string, location: SourceLocation): string[] {
  const lines = text.split("\n");
  const escapeChar = escapeOf(lines);
  const header: string[] = [];
  for (let number = location.startLine; number <= location.endLine && number <= lines.length; number += 1) {
    const line = trimLineEnd(lines[number - 1] ?? "");
    const start = trimStart(line);
    const isSkipped = number > location.startLine && (start === "" || start.startsWith("#"));
    if (isSkipped) {
      header.push("");
      continue;
    }
    const continued = withoutContinuation(line, escapeChar);
    header.push(plain(continued ?? line) + (continued === null ? "" : "\\"));
    if (continued === null) break;
  }
  return header;
}

const plain = (line: string): string => line.replace(/[\\`<#\r\v\f]/g, "_");

function escapeOf(lines: readonly string[]): EscapeCharacter {
  const directives = new DirectiveReader();
  try {
    lines.every((line) => directives.take(trimStart(trimLineEnd(line))));
  } catch {
    // a broken directive is reported by the parser; here the default will do
  }
  return directives.escape;
}
