import type { Digest } from "../../base/digest.ts";
import { defineTask } from "../../base/task.ts";
import type { LayersSpec } from "../../context/tree-spec.ts";
import { openEarlierLayer } from "../../layer/earlier-layer.ts";
import type { LayerLocation } from "../../layer/layer-location.ts";
import type { PackedLayer } from "../../layer/layer-writer.ts";
import { openRootfsView } from "../../layer/rootfs-view.ts";
import { applyActions } from "./apply-actions.ts";
import { expandArchives } from "./expand-archives.ts";
import { selectionDigest } from "./hash-copy.ts";
import type { PackedAction, PackedPathsAction } from "./packed-action.ts";
import { type FoundContext, type NewStatCacheRows, SourceTrees } from "./source-trees.ts";
import { packChanges, type WriteCounts } from "./write-changes.ts";

export type { PackedAction };

/** What hashing the sources has found. */
export interface HashedSources {
  readonly contexts: readonly FoundContext[];
  /** One for each paths action; null when a file may have changed unnoticed since. */
  readonly digests: readonly Digest[] | null;
}

export interface PackCopyInput {
  readonly actions: readonly PackedAction[];
  /** The file system the layer goes on top of; null for an empty one, and for `--link`. */
  readonly parent: LayersSpec | null;
  /** A layer that an earlier build made of the same instruction; null when there is none. Changes nothing but the effort. */
  readonly earlier?: LayerLocation | null;
  /** What was found when the sources were hashed: the layer is made of that. Null when they were not. */
  readonly hashed?: HashedSources | null;
  /** Existing empty directory: takes `index` and `tar` of the layer, and files needed on the way. */
  readonly workDirectory: string;
  /** The time that new directories and heredoc files get, in seconds since the epoch. */
  readonly nowSeconds: number;
}

export interface PackCopyOutput {
  readonly layer: PackedLayer;
  /** What was packed, one digest for each paths action, as `hashCopy` computes them. */
  readonly digests: readonly Digest[];
  readonly counts: WriteCounts;
  readonly newStatCacheRows: readonly NewStatCacheRows[];
}

export const packCopyTask = defineTask<PackCopyInput, PackCopyOutput>("copy.pack");

/**
 * Makes the layer of a COPY or ADD instruction: `index` and `tar` in the work directory. The same input and the same
 * files give the same bytes.
 * Throws CONTEXT_PATH_NOT_FOUND, COPY_CONFLICT, CONTEXT_FILE_CHANGED, ADD_ARCHIVE_INVALID, DOCKERFILE_BAD_ARGUMENT.
 */
export async function packCopy(input: PackCopyInput): Promise<PackCopyOutput> {
  const trees = new SourceTrees(null, input.hashed?.contexts);
  const archives = await expandArchives(input.actions, trees, input.workDirectory);
  try {
    const parent = input.parent === null ? null : openRootfsView(input.parent.layers);
    const earlier = input.earlier == null ? null : openEarlierLayer(input.earlier);
    const pending = applyActions(input.actions, parent, trees, archives, input.nowSeconds);
    const { layer, counts } = packChanges(pending, input.workDirectory, earlier);
    // Everything has been read by now: this takes no second look at any content.
    const digests =
      input.hashed?.digests ?? pathsActions(input.actions).map((action) => selectionDigest(action, trees));
    return { layer, digests, counts, newStatCacheRows: trees.newStatCacheRows() };
  } finally {
    archives.remove();
  }
}

const pathsActions = (actions: readonly PackedAction[]): readonly PackedPathsAction[] =>
  actions.filter((action): action is PackedPathsAction => action.kind === "paths");
