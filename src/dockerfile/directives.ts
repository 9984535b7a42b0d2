import { BuildError } from "../base/errors.ts";
import { quoteText } from "./quote-text.ts";
import { trimStart } from "./white-space.ts";

export type DirectiveName = "syntax" | "escape" | "check";
export type EscapeCharacter = "\\" | "`";

/**
 * Reads the parser directives at the top of a Dockerfile, line by line: `# name=value`. The first line that is not a
 * known directive ends them for good.
 */
export class DirectiveReader {
  readonly #values = new Map<DirectiveName, string>();
  #isDone = false;

  /** Takes the next line, trimmed; true when it is a directive. Throws DOCKERFILE_SYNTAX for one given twice. */
  take(line: string): boolean {
    if (this.#isDone) return false;
    const directive = parseDirective(line);
    if (directive === null) {
      this.#isDone = true;
      return false;
    }
    if (this.#values.has(directive.name))
      throw new BuildError("DOCKERFILE_SYNTAX", `only one ${directive.name} parser directive can be used`);
    this.#values.set(directive.name, directive.value);
    if (directive.name === "escape") checkEscape(directive.value);
    return true;
  }

  get escape(): EscapeCharacter {
    return this.#values.get("escape") === "`" ? "`" : "\\";
  }

  value(name: DirectiveName): string | null {
    return this.#values.get(name) ?? null;
  }
}

function checkEscape(value: string): void {
  if (value === "\\" || value === "`") return;
  throw new BuildError("DOCKERFILE_SYNTAX", `invalid escape token ${quoteText(value)}: want \` or \\`, {
    hint: "nothing may stand after the escape character, not even a comment",
  });
}

/** `# name=value` or null; the name in any case. A value of white space only counts as one space. */
function parseDirective(line: string): { readonly name: DirectiveName; readonly value: string } | null {
  if (!line.startsWith("#")) return null;
  return parseDirectiveText(line.slice(1));
}

/** A directive without its `#`, as it stands in the comments of an instruction. */
export function parseDirectiveText(text: string): { readonly name: DirectiveName; readonly value: string } | null {
  const match = /^([a-zA-Z][a-zA-Z0-9]*)[\t\n\f\r ]*=(.+)$/.exec(trimStart(text));
  const name = match?.[1]?.toLowerCase();
  const value = match?.[2];
  if (value === undefined || (name !== "syntax" && name !== "escape" && name !== "check")) return null;
  return { name, value: value.trim() || " " };
}
