import { BuildError } from "../../base/errors.ts";
import { openDirectoryTree } from "../../context/directory-tree.ts";
import { compilePatterns } from "../../context/pattern-matcher.ts";
import type { DirectorySpec, IgnorePattern, TreeSpec } from "../../context/tree-spec.ts";
import { suggestName } from "../../dockerfile/suggest-name.ts";
import type { FileTree } from "../../layer/file-tree.ts";
import { baseNameOf, childPath, parentOf } from "../../layer/path-order.ts";
import { resolveInTree } from "../../layer/resolve-path.ts";

/**
 * The error for a source path that does not exist in `tree`, which was opened from `spec`. The hint says what is the
 * matter: a line of the .dockerignore, a path or link that leads outside, a name that is spelt differently.
 */
export function missingSource(tree: FileTree, spec: TreeSpec, path: string, written: string): BuildError {
  const hint =
    (spec.kind === "directory" ? ignoredHint(spec, path) : undefined) ??
    outsideHint(tree, spec, path, written) ??
    nearNameHint(tree, path) ??
    `${placeOf(spec)} holds nothing of that name`;
  return new BuildError("CONTEXT_PATH_NOT_FOUND", `${JSON.stringify(`/${path}`)}: not found`, {
    hint,
    details: { path: `/${path}` },
  });
}

function ignoredHint(spec: DirectorySpec, path: string): string | undefined {
  if (spec.ignore.length === 0) return undefined;
  const everything = openDirectoryTree({ ...spec, ignore: [], ignoreFile: null, statCache: null });
  const real = resolveInTree(everything, path, "all");
  if (everything.lstat(real) === null) return undefined;
  const decisive = decisivePattern(spec.ignore, real);
  if (decisive === undefined) return undefined;
  const file = spec.ignoreFile ?? ".dockerignore";
  return `it is excluded by line ${decisive.line} of ${file}: ${JSON.stringify(decisive.pattern)}`;
}

/** The last pattern that excludes `path`. */
const decisivePattern = (patterns: readonly IgnorePattern[], path: string): IgnorePattern | undefined =>
  patterns.findLast(({ pattern }) => !pattern.startsWith("!") && compilePatterns([pattern]).matches(path));

function outsideHint(tree: FileTree, spec: TreeSpec, path: string, written: string): string | undefined {
  const place = placeOf(spec);
  if (leavesRoot(written)) {
    return `${JSON.stringify(written)} leads out of ${place}; only what is inside can be copied, so it means "/${path}"`;
  }
  const link = tree.lstat(resolveInTree(tree, path, "parents"));
  if (link?.type !== "symlink" || link.target === null) return undefined;
  return `it is a symbolic link to ${JSON.stringify(link.target)}, which does not exist inside ${place}`;
}

const placeOf = (spec: TreeSpec): string => (spec.kind === "directory" ? "the build context" : "the stage or image");

function leavesRoot(written: string): boolean {
  let depth = 0;
  for (const name of written.split("/")) {
    if (name === "..") depth -= 1;
    else if (name !== "" && name !== ".") depth += 1;
    if (depth < 0) return true;
  }
  return false;
}

/** A name like the first one of `path` that does not exist. */
function nearNameHint(tree: FileTree, path: string): string | undefined {
  let parent = parentOf(path);
  let missing = path;
  while (parent !== "" && tree.lstat(resolveInTree(tree, parent, "all")) === null) {
    missing = parent;
    parent = parentOf(parent);
  }
  const name = baseNameOf(missing);
  const names = tree.list(resolveInTree(tree, parent, "all")).map((entry) => baseNameOf(entry.path));
  const near = names.find((other) => other.toLowerCase() === name.toLowerCase()) ?? suggestName(name, names);
  return near === undefined ? undefined : `did you mean ${JSON.stringify(`/${childPath(parent, near)}`)}?`;
}
