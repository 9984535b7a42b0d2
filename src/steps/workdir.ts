import { defineTask } from "../base/task.ts";
import { cleanPath } from "../context/clean-path.ts";
import type { LayersSpec } from "../context/tree-spec.ts";
import type { PackedLayer } from "../layer/layer-writer.ts";
import { resolveInTree } from "../layer/resolve-path.ts";
import { openRootfsView } from "../layer/rootfs-view.ts";
import { lookupOwner } from "./copy/owner.ts";
import { PendingTree } from "./copy/pending-tree.ts";
import { packChanges } from "./copy/write-changes.ts";

export interface PackWorkdirInput {
  /** The file system the layer goes on top of; null for an empty one. */
  readonly parent: LayersSpec | null;
  /** Absolute; need not be clean. */
  readonly path: string;
  /** As USER wrote it; "" is root. */
  readonly user: string;
  /** mtime of new directories in seconds since the epoch; null is now. */
  readonly epoch: number | null;
  readonly nowSeconds: number;
  /** Existing empty directory: takes `index` and `tar` of the layer. */
  readonly workDirectory: string;
}

export interface PackWorkdirOutput {
  readonly layer: PackedLayer;
}

export const packWorkdirTask = defineTask<PackWorkdirInput, PackWorkdirOutput>("workdir.pack");

/**
 * Makes the layer of WORKDIR: the directory and what is missing on the way to it, mode 0755, owned by the user. Links
 * are followed inside the root. The layer is empty when the directory exists.
 * Throws COPY_CONFLICT when something else than a directory is in the way.
 */
export function packWorkdir(input: PackWorkdirInput): PackWorkdirOutput {
  const parent = openRootfsView(input.parent?.layers ?? []);
  const pending = new PendingTree(parent, input.nowSeconds);
  const owner = input.user === "" ? null : lookupOwner(input.user, input.parent === null ? null : parent);
  const path = resolveInTree(pending, cleanPath(`/${input.path}`), "all");
  pending.makeDirectories(path, 0o755, owner, input.epoch ?? input.nowSeconds);
  return { layer: packChanges(pending, input.workDirectory).layer };
}
