import { BuildError, isBuildError, withFacts } from "../base/errors.ts";
import { decodeName } from "../base/file-name.ts";
import { cleanPath, trimSpace } from "./clean-path.ts";
import { parsePattern } from "./ignore-pattern.ts";
import type { IgnorePattern } from "./tree-spec.ts";

const maximumBytes = 16 << 20;
const byteOrderMark = "\ufeff";

/**
 * The patterns of a .dockerignore: comments only where "#" is the first character of the line, white space around
 * a pattern and "/" in front of it dropped, "!" kept in front. `file` is the path for messages.
 * Throws CONTEXT_IGNORE_INVALID, with the line, for a pattern that is malformed or only "!".
 */
export function parseIgnoreFile(bytes: Uint8Array, file: string): readonly IgnorePattern[] {
  if (bytes.length > maximumBytes)
    throw new BuildError("CONTEXT_IGNORE_INVALID", `${file}: ${bytes.length} bytes, want at most ${maximumBytes}`);
  const text = decodeName(bytes);
  const lines = (text.startsWith(byteOrderMark) ? text.slice(1) : text).split("\n");
  return lines.flatMap((written, index) => {
    const pattern = written.startsWith("#") ? "" : normalize(written);
    if (pattern === "") return [];
    const line = index + 1;
    checkPattern(pattern, file, line);
    return [{ pattern, line }];
  });
}

function normalize(written: string): string {
  const trimmed = trimSpace(written);
  const isException = trimmed.startsWith("!");
  const pattern = isException ? trimSpace(trimmed.slice(1)) : trimmed;
  if (pattern === "") return trimmed;
  const cleaned = cleanPath(pattern);
  const relative = cleaned.length > 1 && cleaned.startsWith("/") ? cleaned.slice(1) : cleaned;
  return isException ? `!${relative}` : relative;
}

function checkPattern(pattern: string, file: string, line: number): void {
  try {
    parsePattern(pattern);
  } catch (error) {
    if (!isBuildError(error)) throw error;
    const located = new BuildError(error.code, `${file}:${line}: ${error.message}`);
    throw withFacts(located, { location: { file, startLine: line, endLine: line } });
  }
}
