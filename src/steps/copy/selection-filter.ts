import { compilePatterns, type PatternMatcher, type PatternVerdict } from "../../context/pattern-matcher.ts";

/** What a filter says about one path; given back to decide about the paths directly in it. */
export interface SelectionVerdict {
  readonly isSelected: boolean;
  /** Whether something in this directory may be selected. */
  readonly mayDescend: boolean;
  readonly include: PatternVerdict | null;
  readonly exclude: PatternVerdict | null;
}

/** Decides what of a source directory is copied; paths are relative to that directory. */
export interface SelectionFilter {
  /** `parent` is the verdict on the directory `path` lies in; null at the top. */
  decide(path: string, parent: SelectionVerdict | null): SelectionVerdict;
}

/**
 * The filter of `--parents` (`include`: only what matches it; null: everything) and `--exclude`; null when it selects
 * everything. Throws CONTEXT_IGNORE_INVALID for a malformed pattern.
 */
export function createFilter(include: string | null, excludes: readonly string[]): SelectionFilter | null {
  if (include === null && excludes.length === 0) return null;
  const included = include === null ? null : compilePatterns([include]);
  // Where an exception could take something back is where the same pattern could match at all.
  const reach = include === null ? null : compilePatterns([`!${include}`]);
  const excluded = excludes.length === 0 ? null : compilePatterns(excludes);
  return {
    decide(path, parent) {
      const includeVerdict = included?.decide(path, parent?.include ?? null) ?? null;
      const excludeVerdict = excluded?.decide(path, parent?.exclude ?? null) ?? null;
      const isIncluded = includeVerdict?.matched ?? true;
      const isExcluded = excludeVerdict?.matched ?? false;
      return {
        isSelected: isIncluded && !isExcluded,
        mayDescend: (isIncluded || mayReach(reach, path)) && (!isExcluded || mayReach(excluded, path)),
        include: includeVerdict,
        exclude: excludeVerdict,
      };
    },
  };
}

const mayReach = (matcher: PatternMatcher | null, directory: string): boolean =>
  matcher?.mayKeepBelow(directory) ?? false;
