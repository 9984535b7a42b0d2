import { BuildError } from "../base/errors.ts";
import { quoteText } from "./quote-text.ts";

/**
 * The fields of one comma-separated line, quoted as in Go's encoding/csv: a field that begins with `"` ends with the
 * next single `"`, and `""` stands for one. Throws DOCKERFILE_BAD_FLAG.
 */
export function csvFields(line: string): string[] {
  const fields: string[] = [];
  let at = 0;
  for (;;) {
    if (line[at] === '"') {
      const quoted = readQuoted(line, at + 1);
      fields.push(quoted.text);
      at = quoted.end;
      if (at < line.length && line[at] !== ",") throw bad(line, at, 'extraneous or missing " in quoted field');
    } else {
      const comma = line.indexOf(",", at);
      const field = line.slice(at, comma < 0 ? line.length : comma);
      const quote = field.indexOf('"');
      if (quote >= 0) throw bad(line, at + quote, 'bare " in non-quoted field');
      fields.push(field);
      at += field.length;
    }
    if (at >= line.length) return fields;
    at += 1;
  }
}

function readQuoted(line: string, start: number): { readonly text: string; readonly end: number } {
  const parts: string[] = [];
  let at = start;
  for (;;) {
    const quote = line.indexOf('"', at);
    if (quote < 0) throw bad(line, at, 'extraneous or missing " in quoted field');
    parts.push(line.slice(at, quote));
    if (line[quote + 1] !== '"') return { text: parts.join('"'), end: quote + 1 };
    at = quote + 2;
  }
}

const bad = (line: string, at: number, problem: string): BuildError =>
  new BuildError("DOCKERFILE_BAD_FLAG", `${quoteText(line)}: column ${at + 1}: ${problem}`);
