import { BuildError } from "../base/errors.ts";
import { trimStart } from "./white-space.ts";

/**
 * The strings of a JSON array, or null when `text` as a whole is not one. Throws DOCKERFILE_SYNTAX for a valid array
 * that holds something else than strings. A lone surrogate becomes U+FFFD, as in Go.
 */
export function parseJsonStrings(text: string): readonly string[] | null {
  const trimmed = trimStart(text);
  if (!trimmed.startsWith("[") || isTooDeep(trimmed)) return null;
  let items: unknown;
  try {
    items = JSON.parse(trimmed);
  } catch {
    return null;
  }
  if (!Array.isArray(items)) return null;
  return items.map((item: unknown) => {
    if (typeof item === "string") return Buffer.from(item).toString();
    throw new BuildError("DOCKERFILE_SYNTAX", "when using JSON array syntax, arrays must be comprised of strings only");
  });
}

/** Go gives up on JSON nested deeper than this; JSON.parse does not, and would make an object for every bracket. */
const maxDepth = 10_000;

/** Brackets in strings count too: no command has that many. */
function isTooDeep(text: string): boolean {
  let depth = 0;
  let deepest = 0;
  for (let index = 0; index < text.length; index += 1) {
    const char = text[index];
    if (char === "[" || char === "{") deepest = Math.max(deepest, ++depth);
    else if (char === "]" || char === "}") depth -= 1;
  }
  return deepest > maxDepth;
}
