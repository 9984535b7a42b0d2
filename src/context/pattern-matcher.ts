import { type ParsedPattern, parsePattern } from "./ignore-pattern.ts";

/** What the patterns say about one path; given back to decide about the paths directly below it. */
export interface PatternVerdict {
  /** Whether the path is excluded. */
  readonly matched: boolean;
  /** For each pattern whether it matched this path or one of its parents. */
  readonly hits: Uint8Array;
}

/**
 * The patterns of a .dockerignore or of `--exclude`, with the verdicts of moby/patternmatcher's
 * MatchesUsingParentResults: the last match wins, what matches a folder matches everything in it, `!` takes back.
 */
export interface PatternMatcher {
  /** Whether any pattern begins with "!". */
  readonly hasExceptions: boolean;
  /** Decides about `path` (relative, without "." and ".."), given the verdict on its parent; null at the top. */
  decide(path: string, parent: PatternVerdict | null): PatternVerdict;
  /** Decides about `path` alone, its parents included. */
  matches(path: string): boolean;
  /** Whether something below the excluded `directory` may be kept because of an exception. */
  mayKeepBelow(directory: string): boolean;
}

/** Reads patterns in order; empty ones are skipped. Throws CONTEXT_IGNORE_INVALID for a malformed one. */
export function compilePatterns(patterns: readonly string[]): PatternMatcher {
  const parsed = patterns.map(parsePattern).filter((pattern) => pattern !== null);
  const exceptionScopes = parsed.filter(({ isException }) => isException).map(scopeOf);

  const decide = (path: string, parent: PatternVerdict | null): PatternVerdict => {
    const hits = new Uint8Array(parsed.length);
    let matched = false;
    for (let at = 0; at < parsed.length; at += 1) {
      const pattern = parsed[at] as ParsedPattern;
      let hit = parent?.hits[at] === 1;
      if (!hit && pattern.isException === matched) hit = matchesText(pattern, path);
      if (!hit) continue;
      hits[at] = 1;
      matched = !pattern.isException;
    }
    return { matched, hits };
  };

  return {
    hasExceptions: exceptionScopes.length > 0,
    decide,
    matches(path) {
      let verdict: PatternVerdict | null = null;
      for (let at = path.indexOf("/"); at !== -1; at = path.indexOf("/", at + 1))
        verdict = decide(path.slice(0, at), verdict);
      return decide(path, verdict).matched;
    },
    mayKeepBelow(directory) {
      return exceptionScopes.some(({ folder, isExact }) => {
        if (folder.startsWith(`${directory}/`)) return true;
        return !isExact && (folder === "" || folder === directory || directory.startsWith(`${folder}/`));
      });
    },
  };
}

function matchesText({ form }: ParsedPattern, path: string): boolean {
  if (form.kind === "name") return path === form.name;
  if (form.kind === "prefix") return path.startsWith(form.prefix);
  if (form.kind === "suffix")
    return path.endsWith(form.suffix) || (form.suffix.startsWith("/") && path === form.suffix.slice(1));
  return form.program.matches(path);
}

/** The folder all matches of a pattern lie in; `isExact` when it is the one path the pattern matches. */
function scopeOf({ text, form }: ParsedPattern): { readonly folder: string; readonly isExact: boolean } {
  if (form.kind === "name") return { folder: text, isExact: true };
  const plain = text.slice(0, text.search(/[*?[\]\\]/));
  return { folder: plain.slice(0, Math.max(0, plain.lastIndexOf("/"))), isExact: false };
}
