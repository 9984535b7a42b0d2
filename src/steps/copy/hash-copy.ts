import { statSync } from "node:fs";
import type { Digest } from "../../base/digest.ts";
import { defineTask } from "../../base/task.ts";
import { UnknownDigest } from "../../context/directory-tree.ts";
import type { TreeSpec } from "../../context/tree-spec.ts";
import { resolveInTree } from "../../layer/resolve-path.ts";
import type { CopyPathsAction } from "../../plan/build-graph.ts";
import { missingSource } from "./missing-source.ts";
import { type PackedPathsAction, sourcesOf } from "./packed-action.ts";
import { SelectionHash } from "./selection-hash.ts";
import { normalizeSource } from "./source-path.ts";
import { type NewStatCacheRows, SourceTrees } from "./source-trees.ts";

/** The part of a COPY or ADD that says what is selected, and the tree it reads from. */
export interface HashedSelection {
  readonly action: Pick<CopyPathsAction, "paths" | "parents" | "excludes">;
  readonly tree: TreeSpec;
}

export interface HashCopyInput {
  readonly selections: readonly HashedSelection[];
}

export interface HashCopyOutput {
  /** One for each selection, in order. */
  readonly digests: readonly Digest[];
  readonly newStatCacheRows: readonly NewStatCacheRows[];
}

export interface HashPathInput {
  readonly tree: TreeSpec;
  /** "/" for all of it. */
  readonly path: string;
}

export interface HashPathOutput {
  readonly digest: Digest;
  readonly newStatCacheRows: readonly NewStatCacheRows[];
}

export const hashCopyTask = defineTask<HashCopyInput, HashCopyOutput>("copy.hash");
export const hashPathTask = defineTask<HashPathInput, HashPathOutput>("copy.hashPath");

/**
 * Digests of what COPY and ADD actions select: paths, types, modes, owners, link targets and contents, not times.
 * Throws CONTEXT_PATH_NOT_FOUND for a source without wildcards that does not exist.
 */
export function hashCopy(input: HashCopyInput): HashCopyOutput {
  const trees = new SourceTrees();
  const digests = input.selections.map(({ action, tree }) => selectionDigest({ ...action, tree }, trees));
  return { digests, newStatCacheRows: trees.newStatCacheRows() };
}

/**
 * As `hashCopy`, for contexts that are not huge and of which nearly every file is known: for most it takes less than a
 * worker thread takes to start. Null for all others. `trees` are those of the whole build, and know what is new to the
 * stat caches.
 */
export function hashKnownCopy({ selections }: HashCopyInput, trees: SourceTrees): readonly Digest[] | null {
  if (!selections.every(({ tree }) => isSmallAndKnown(tree))) return null;
  try {
    return selections.map(({ action, tree }) => selectionDigest({ ...action, tree }, trees));
  } catch (error) {
    if (error instanceof UnknownDigest) return null;
    throw error;
  }
}

/** Some 50,000 files: a fifth of a second. */
const smallStatCacheBytes = 4 << 20;

/** Trees for `hashKnownCopy`: little of what is not known is read. */
export const openKnownTrees = (): SourceTrees => new SourceTrees(4 << 20);

function isSmallAndKnown(tree: TreeSpec): boolean {
  if (tree.kind !== "directory" || tree.statCache === null) return false;
  const sizeBytes = statSync(tree.statCache, { throwIfNoEntry: false })?.size ?? 0;
  return sizeBytes > 0 && sizeBytes <= smallStatCacheBytes;
}

/** Digest of what one action selects. Throws CONTEXT_PATH_NOT_FOUND. */
export function selectionDigest(
  action: Pick<PackedPathsAction, "paths" | "parents" | "excludes" | "tree">,
  trees: SourceTrees,
): Digest {
  const { tree, sources } = sourcesOf(action, trees);
  const hash = new SelectionHash();
  for (const source of sources) hash.add(tree, source);
  return hash.digest();
}

/**
 * Digest of what a bind mount shows: the file or directory `path` leads to, with all its content. Throws
 * CONTEXT_PATH_NOT_FOUND when it does not exist.
 */
export function hashPath(input: HashPathInput): HashPathOutput {
  const trees = new SourceTrees();
  const tree = trees.open(input.tree);
  const path = normalizeSource(input.path);
  const entry = tree.lstat(resolveInTree(tree, path, "all"));
  if (entry === null) throw missingSource(tree, input.tree, path, input.path);
  const hash = new SelectionHash();
  hash.add(tree, { entry, wild: "", name: "", filter: null });
  return { digest: hash.digest(), newStatCacheRows: trees.newStatCacheRows() };
}
