import { randomBytes } from "node:crypto";
import { mkdir, rename } from "node:fs/promises";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { BuildError } from "../base/errors.ts";
import { ignoreMissing, removeFile } from "./atomic-file.ts";
import { takeInventory } from "./inventory.ts";
import type { Store } from "./open-store.ts";
import { type PruneOptions, type PrunePlan, planPrune } from "./prune-plan.ts";
import { makeMovable, removeTree } from "./remove-tree.ts";
import { withStorageErrors } from "./storage-error.ts";

const pollMs = 50;

/**
 * Removes what nothing leads to, and what `options` name. Waits until no other process has the store open; `onWait` is
 * told once when it has to. The caller must not use the store for anything else meanwhile, nor a LayerStore opened before
 * afterwards. Returns what was removed.
 * Throws BUILD_CANCELLED, and STORE_RECORD_INVALID when an image's record is broken: what it needs is not known then.
 */
export async function prune(
  store: Store,
  options: PruneOptions,
  signal: AbortSignal,
  onWait: () => void,
): Promise<PrunePlan> {
  for (let isFirst = true; !store.lock.tryExclusive(); isFirst = false) {
    if (isFirst) onWait();
    if (signal.aborted) {
      await store.lock.share();
      throw new BuildError("BUILD_CANCELLED", "prune was cancelled");
    }
    await sleep(pollMs);
  }
  return removeLocked(store, options);
}

/** As `prune`, but null when another process has the store open. */
export async function tryPrune(store: Store, options: PruneOptions): Promise<PrunePlan | null> {
  if (store.lock.tryExclusive()) return removeLocked(store, options);
  await store.lock.share();
  return null;
}

async function removeLocked(store: Store, options: PruneOptions): Promise<PrunePlan> {
  const trash = join(store.paths.temporary, `trash-${randomBytes(6).toString("hex")}`);
  let plan: PrunePlan;
  try {
    plan = planPrune(await takeInventory(store.paths, store.images, store.blobs), options);
    await withStorageErrors(trash, () => mkdir(trash, { mode: 0o700 }));
    await moveAway(store, plan, trash);
  } finally {
    await store.lock.share();
  }
  // Names are gone; others may go on while the files follow.
  await withStorageErrors(trash, () => removeTree(trash, store.paths.temporary));
  return plan;
}

/** What leads somewhere goes before what it leads to: after a crash at any point nothing leads nowhere. */
async function moveAway(store: Store, plan: PrunePlan, trash: string): Promise<void> {
  for (const file of plan.files) await removeFile(file);
  const { paths } = store;
  for (const id of plan.directories) {
    try {
      makeMovable(paths.directory(id));
    } catch (error) {
      ignoreMissing(error);
    }
  }
  const doomed = [
    ...plan.layers.map((diffId) => paths.layer(diffId)),
    ...plan.directories.map((id) => paths.directory(id)),
    ...plan.blobs.map((digest) => paths.blob(digest)),
    ...plan.items,
  ];
  for (const [at, path] of doomed.entries())
    await withStorageErrors(path, () =>
      rename(path, join(trash, `${at}-${basename(path)}`.slice(0, 100))).catch(ignoreMissing),
    );
}
