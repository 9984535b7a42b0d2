import { BuildError, isBuildError, withFacts } from "../base/errors.ts";
import type { SourceLocation } from "../base/source-location.ts";
import { parseArguments } from "./argument-forms.ts";
import { DirectiveReader, type EscapeCharacter } from "./directives.ts";
import { findHeredocs, type HeredocWord } from "./heredoc.ts";
import type { Heredoc } from "./instruction.ts";
import type { Source, SourceNode } from "./source-node.ts";
import { splitCommand } from "./split-command.ts";
import { trim, trimLineEnd, trimStart } from "./white-space.ts";

/** A physical line may have this many bytes, its newline not counted; BuildKit's scanner has the same limit. */
const maxLineBytes = 65535;
/** A logical line may have this many characters; the kernel takes arguments of 128 KiB. */
const maxLogicalLine = 4 << 20;
const maxInstructions = 200_000;

/**
 * A Dockerfile's text as logical lines: directives and comments read, continuations joined, heredocs collected, every
 * line taken apart. `text` has no byte order mark; U+FFFD in it stands for bytes that are no UTF-8 when `isDamaged`,
 * which only comments may hold. Throws DOCKERFILE_SYNTAX, DOCKERFILE_TOO_LARGE, with a location.
 */
export function parseSource(text: string, file: string, isDamaged: boolean): Source {
  return new SourceReader(text, file, isDamaged).read();
}

class SourceReader {
  readonly #text: string;
  readonly #file: string;
  readonly #isDamaged: boolean;
  readonly #directives = new DirectiveReader();
  readonly #emptyContinuations: SourceLocation[] = [];
  #at = 0;
  /** Lines read so far: the number of the current one. */
  #line = 0;

  constructor(text: string, file: string, isDamaged: boolean) {
    this.#text = text;
    this.#file = file;
    this.#isDamaged = isDamaged;
  }

  read(): Source {
    const nodes: SourceNode[] = [];
    let comments: string[] = [];
    for (let line = this.#nextLine(); line !== null; line = this.#nextLine()) {
      const first = trimStart(trimLineEnd(line));
      if (this.#located(this.#line, () => this.#directives.take(first))) continue;
      if (first.startsWith("#")) {
        const comment = trim(first.slice(1));
        if (comment === "") comments = [];
        else comments.push(comment);
      } else if (first !== "") {
        nodes.push(this.#readNode(first, comments));
        comments = [];
        if (nodes.length > maxInstructions)
          throw new BuildError("DOCKERFILE_TOO_LARGE", `the Dockerfile has more than ${maxInstructions} instructions`, {
            location: this.#locationFrom(this.#line),
          });
      }
    }
    if (nodes.length === 0)
      throw new BuildError("DOCKERFILE_SYNTAX", "file with no instructions", {
        location: this.#locationFrom(Math.max(this.#line, 1)),
        hint: "a Dockerfile begins with FROM",
      });
    return {
      escape: this.#directives.escape,
      ...this.#otherDirectives(),
      nodes,
      emptyContinuations: this.#emptyContinuations,
    };
  }

  /** `syntax` and `check` may also stand behind a `#!` line, where `escape` does not. */
  #otherDirectives(): { readonly syntax: string | null; readonly check: string | null } {
    let directives = this.#directives;
    if (this.#text.startsWith("#!")) {
      directives = new DirectiveReader();
      const lines = this.#text
        .slice(0, 4 * maxLineBytes)
        .split("\n")
        .slice(1);
      lines.every((line) => this.#located(1, () => directives.take(trimStart(trimLineEnd(line)))));
    }
    return { syntax: directives.value("syntax"), check: directives.value("check") };
  }

  #readNode(first: string, comments: readonly string[]): SourceNode {
    const startLine = this.#line;
    return this.#located(startLine, () => {
      const original = this.#readLogicalLine(first);
      this.#refuseDamage(original);
      const node = makeNode(original, this.#directives.escape, this.#locationFrom(startLine), comments);
      const announced = takesHeredocs(node) ? findHeredocs(original) : [];
      if (announced.length === 0) return { ...node, location: this.#locationFrom(startLine) };
      const heredocs = announced.map((word) => this.#readHeredoc(word));
      return { ...node, heredocs, location: this.#locationFrom(startLine) };
    });
  }

  /** Joins the lines that end in an escape character. Comments and empty lines in between are left out. */
  #readLogicalLine(first: string): string {
    const escapeChar = this.#directives.escape;
    let joined = withoutContinuation(first, escapeChar);
    if (joined === null) return first;
    const parts = [joined];
    let length = joined.length;
    let hasEmptyLine = false;
    while (joined !== null) {
      const line = this.#nextLine();
      if (line === null) break;
      const start = trimStart(line);
      if (start.startsWith("#")) continue;
      if (start === "") {
        hasEmptyLine = true;
        continue;
      }
      const whole = trimLineEnd(line);
      joined = withoutContinuation(whole, escapeChar);
      parts.push(joined ?? whole);
      length += whole.length;
      if (length > maxLogicalLine)
        throw new BuildError("DOCKERFILE_TOO_LARGE", `the instruction is longer than ${maxLogicalLine} characters`);
    }
    if (hasEmptyLine) this.#emptyContinuations.push(this.#locationFrom(this.#line));
    return parts.join("");
  }

  /** The lines up to the one that holds nothing but the heredoc's name. */
  #readHeredoc(word: HeredocWord): Heredoc {
    const lines: string[] = [];
    for (let line = this.#nextLine(); line !== null; line = this.#nextLine()) {
      const trimmed = trimLineEnd(line);
      if ((word.chomp ? trimmed.replace(/^\t+/, "") : trimmed) === word.name) {
        const content = lines.join("");
        this.#refuseDamage(content);
        return { ...word, content };
      }
      lines.push(line);
    }
    throw new BuildError("DOCKERFILE_SYNTAX", "unterminated heredoc", {
      hint: `end it with a line that holds only ${word.name.slice(0, 80)}`,
    });
  }

  /** The next physical line with its line end, or null at the end of the text. */
  #nextLine(): string | null {
    if (this.#at >= this.#text.length) return null;
    const newline = this.#text.indexOf("\n", this.#at);
    const end = newline < 0 ? this.#text.length : newline + 1;
    const line = this.#text.slice(this.#at, end);
    this.#at = end;
    this.#line += 1;
    const length = newline < 0 ? line.length : line.length - 1;
    if (length * 3 > maxLineBytes && Buffer.byteLength(line) - (newline < 0 ? 0 : 1) > maxLineBytes)
      throw new BuildError("DOCKERFILE_TOO_LARGE", `dockerfile line greater than max allowed size of ${maxLineBytes}`, {
        location: this.#locationFrom(this.#line),
      });
    return line;
  }

  #refuseDamage(text: string): void {
    if (this.#isDamaged && text.includes("\ufffd"))
      throw new BuildError("DOCKERFILE_SYNTAX", "the instruction holds bytes that are not UTF-8", {
        hint: "save the Dockerfile in UTF-8; other encodings are only accepted in comments",
      });
  }

  #located<T>(startLine: number, run: () => T): T {
    try {
      return run();
    } catch (error) {
      throw isBuildError(error) ? withFacts(error, { location: this.#locationFrom(startLine) }) : error;
    }
  }

  #locationFrom(startLine: number): SourceLocation {
    return { file: this.#file, startLine, endLine: Math.max(this.#line, startLine) };
  }
}

/** `line` without the escape character at its end, or null when it does not continue. A doubled one ends the line. */
export function withoutContinuation(line: string, escapeChar: EscapeCharacter): string | null {
  let last = line.length - 1;
  while (last >= 0 && (line[last] === " " || line[last] === "\t")) last -= 1;
  return line[last] === escapeChar && line[last - 1] !== escapeChar ? line.slice(0, last) : null;
}

/** Takes a line apart. A trigger's own trigger is left out: ONBUILD ONBUILD is refused later, however deep it goes. */
function makeNode(
  original: string,
  escapeChar: EscapeCharacter,
  location: SourceLocation,
  comments: readonly string[],
  isTrigger = false,
): SourceNode {
  const { keyword, flags, rest } = splitCommand(original, escapeChar);
  const common = { keyword, flags, heredocs: [], original, location, comments };
  if (keyword.toLowerCase() !== "onbuild") return { ...common, args: parseArguments(keyword, rest, escapeChar) };
  const trigger = rest === "" || isTrigger ? null : makeNode(rest, escapeChar, location, [], true);
  return { ...common, args: { form: "trigger", trigger } };
}

/** RUN, COPY and ADD, also as a trigger; not with a JSON array. */
function takesHeredocs(node: SourceNode): boolean {
  const target = node.args.form === "trigger" ? (node.args.trigger ?? node) : node;
  return /^(?:run|copy|add)$/i.test(target.keyword) && target.args.form !== "json";
}
