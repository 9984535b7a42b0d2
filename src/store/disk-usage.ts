import type { DiffId, Digest } from "../base/digest.ts";
import { type Holder, type Inventory, type OpaqueItem, type StoredLayer, takeInventory } from "./inventory.ts";
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
  /** How many images have it, names of the same image counted once. */
  readonly imageCount: number;
  /** What the step that made it does; "" when no cache record knows. */
  readonly description: string;
  /** When it was last found in the cache; null when no cache record knows. */
  readonly usedAtMs: number | null;
}

/** What one cache record or pin keeps in the store. */
export interface UsageOfRecord {
  readonly kind: Holder["kind"];
  readonly description: string;
  /** All its layers. */
  readonly sizeBytes: number;
  /** Of these, the layers that no image and no other record has. */
  readonly uniqueBytes: number;
  readonly usedAtMs: number;
}

export interface DiskUsage {
  readonly kinds: readonly UsageOfKind[];
  readonly layers: readonly UsageOfLayer[];
  readonly records: readonly UsageOfRecord[];
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
    records: describeRecords(inventory),
    sizeBytes: sum(kinds.map(({ sizeBytes }) => sizeBytes)),
    reclaimableBytes: sum(kinds.map(({ reclaimableBytes }) => reclaimableBytes)),
  };
}

function describeLayers(inventory: Inventory): readonly UsageOfLayer[] {
  const imagesOf = new Map<DiffId, Set<Digest>>();
  for (const { imageId, diffIds } of inventory.images.flatMap(({ platforms }) => platforms))
    for (const diffId of diffIds) imagesOf.set(diffId, (imagesOf.get(diffId) ?? new Set()).add(imageId));
  // The topmost layer of a record is the one its step made.
  const makers = new Map(
    inventory.holders.filter(({ kind }) => kind === "cache").map((holder) => [holder.layers.at(-1), holder]),
  );
  return [...inventory.layers.values()].map((layer) => {
    const maker = makers.get(layer.diffId);
    const imageCount = imagesOf.get(layer.diffId)?.size ?? 0;
    return {
      diffId: layer.diffId,
      sizeBytes: sizeWithBlobs(layer, inventory),
      isInImage: imageCount > 0,
      imageCount,
      description: maker?.description ?? "",
      usedAtMs: maker?.usedAtMs ?? null,
    };
  });
}

function describeRecords(inventory: Inventory): readonly UsageOfRecord[] {
  const holders = new Map<DiffId, number>();
  const images = inventory.images.flatMap(({ platforms }) => platforms.map(({ diffIds }) => diffIds));
  for (const diffIds of [...images, ...inventory.holders.map(({ layers }) => layers)])
    for (const diffId of new Set(diffIds)) holders.set(diffId, (holders.get(diffId) ?? 0) + 1);
  const sizeOf = (diffIds: readonly DiffId[]): number =>
    sum(diffIds.map((diffId) => sizeWithBlobs(inventory.layers.get(diffId), inventory)));
  return inventory.holders.map(({ kind, description, layers, usedAtMs }) => {
    const own = [...new Set(layers)];
    const uniqueBytes = sizeOf(own.filter((diffId) => holders.get(diffId) === 1));
    return { kind, description, sizeBytes: sizeOf(own), uniqueBytes, usedAtMs };
  });
}

const sizeWithBlobs = (layer: StoredLayer | undefined, inventory: Inventory): number =>
  layer === undefined ? 0 : bytesOf(layer) + sum(layer.blobs.map((digest) => inventory.blobs.get(digest) ?? 0));

function opaque(kind: UsageOfKind["kind"], items: readonly OpaqueItem[]): UsageOfKind {
  const sizeBytes = sum(items.map((item) => item.sizeBytes));
  return { kind, count: items.length, sizeBytes, reclaimableBytes: sizeBytes };
}

const sum = (sizes: readonly number[]): number => sizes.reduce((total, size) => total + size, 0);
