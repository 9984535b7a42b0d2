import type { DiffId } from "../base/digest.ts";
import { type Inventory, type OpaqueItem, takeInventory } from "./inventory.ts";
import type { Store } from "./open-store.ts";
import { bytesOf, planPrune } from "./prune-plan.ts";

/** What one kind of thing takes. */
export interface UsageOfKind {
  readonly kind: "layers" | "blobs" | "cache mounts" | "stat caches" | "containers" | "set aside";
  readonly count: number;
  readonly sizeBytes: number;
  /** What removing everything but images and running containers would free. */
  readonly reclaimableBytes: number;
}

/** One layer, for a detailed list. */
export interface UsageOfLayer {
  readonly diffId: DiffId;
  readonly sizeBytes: number;
  /** Part of an image in the store. */
  readonly isInImage: boolean;
  /** What the step that made it does; "" when no cache record knows. */
  readonly description: string;
  /** When it was last found in the cache; null when no cache record knows. */
  readonly usedAtMs: number | null;
}

export interface DiskUsage {
  readonly kinds: readonly UsageOfKind[];
  readonly layers: readonly UsageOfLayer[];
  readonly sizeBytes: number;
  readonly reclaimableBytes: number;
}

/** What the store takes on disk. Directory forms count as much as their tars. */
export async function measureStore(store: Store): Promise<DiskUsage> {
  return usageOf(await takeInventory(store.paths, store.images, store.blobs));
}

function usageOf(inventory: Inventory): DiskUsage {
  const plan = planPrune(inventory, { all: true, containers: true, unusedSinceMs: null, keepBytes: null });
  const doomedLayers = new Set(plan.layers);
  const doomedBlobs = new Set(plan.blobs);
  const layers = [...inventory.layers.values()];
  const blobs = [...inventory.blobs];
  const kinds: readonly UsageOfKind[] = [
    {
      kind: "layers",
      count: layers.length,
      sizeBytes: sum(layers.map(bytesOf)),
      reclaimableBytes: sum(layers.filter(({ diffId }) => doomedLayers.has(diffId)).map(bytesOf)),
    },
    {
      kind: "blobs",
      count: blobs.length,
      sizeBytes: sum(blobs.map(([, size]) => size)),
      reclaimableBytes: sum(blobs.filter(([digest]) => doomedBlobs.has(digest)).map(([, size]) => size)),
    },
    opaque("cache mounts", inventory.mounts),
    opaque("stat caches", inventory.contexts),
    {
      ...opaque("containers", inventory.containers),
      reclaimableBytes: sum(inventory.containers.filter((one) => !one.isRunning).map(({ sizeBytes }) => sizeBytes)),
    },
    opaque("set aside", inventory.quarantine),
  ];
  return {
    kinds,
    layers: describeLayers(inventory),
    sizeBytes: sum(kinds.map(({ sizeBytes }) => sizeBytes)),
    reclaimableBytes: sum(kinds.map(({ reclaimableBytes }) => reclaimableBytes)),
  };
}

function describeLayers(inventory: Inventory): readonly UsageOfLayer[] {
  const inImages = new Set(inventory.images.flatMap(({ platforms }) => platforms.flatMap(({ diffIds }) => diffIds)));
  // The topmost layer of a record is the one its step made.
  const makers = new Map(
    inventory.holders.filter(({ kind }) => kind === "cache").map((holder) => [holder.layers.at(-1), holder]),
  );
  return [...inventory.layers.values()].map((layer) => {
    const maker = makers.get(layer.diffId);
    return {
      diffId: layer.diffId,
      sizeBytes: bytesOf(layer) + sum(layer.blobs.map((digest) => inventory.blobs.get(digest) ?? 0)),
      isInImage: inImages.has(layer.diffId),
      description: maker?.description ?? "",
      usedAtMs: maker?.usedAtMs ?? null,
    };
  });
}

function opaque(kind: UsageOfKind["kind"], items: readonly OpaqueItem[]): UsageOfKind {
  const sizeBytes = sum(items.map((item) => item.sizeBytes));
  return { kind, count: items.length, sizeBytes, reclaimableBytes: sizeBytes };
}

const sum = (sizes: readonly number[]): number => sizes.reduce((total, size) => total + size, 0);
