import { basename } from "node:path";
import type { CacheKey, DiffId, Digest } from "../base/digest.ts";
import { digestFromHex } from "../base/digest.ts";
import type { ContainerItem, Holder, Inventory, OpaqueItem, StoredLayer } from "./inventory.ts";

/** What may be removed besides what nothing leads to. Images, what was pushed, and what they consist of always stay. */
export interface PruneOptions {
  /** Everything that is not an image: cache records, pins, cache mounts, stat caches. */
  readonly all: boolean;
  /** Containers that do not run. */
  readonly containers: boolean;
  /** Of all these, what was last used before this time, in milliseconds since the epoch; null for no such limit. */
  readonly unusedSinceMs: number | null;
  /** Of these without the containers, the longest unused first, until the store takes no more than this; null for no such limit. */
  readonly keepBytes: number | null;
}

/** What a prune removes. */
export interface PrunePlan {
  /** Records, aliases and pins. */
  readonly files: readonly string[];
  readonly layers: readonly DiffId[];
  /** Names below `dirs/`. */
  readonly directories: readonly string[];
  readonly blobs: readonly Digest[];
  /** Cache mounts, stat caches, containers, and what was set aside. */
  readonly items: readonly string[];
  readonly freedBytes: number;
}

/** Something that can be removed on its own. */
type Candidate =
  | { readonly usedAtMs: number; readonly holder: Holder }
  | { readonly usedAtMs: number; readonly item: OpaqueItem };

/** Decides what to remove; pure. */
export function planPrune(inventory: Inventory, options: PruneOptions): PrunePlan {
  const doomed = inventory.containers.filter((container) => isRemoved(container, options));
  const kept = inventory.containers.filter((container) => !doomed.includes(container));
  const uses = new Uses({ ...inventory, containers: kept });
  const items = [...inventory.mounts, ...inventory.contexts];
  const candidates: Candidate[] = [
    ...inventory.holders.map((holder) => ({ usedAtMs: holder.usedAtMs, holder })),
    ...items.map((item) => ({ usedAtMs: item.usedAtMs, item })),
  ].sort((a, b) => a.usedAtMs - b.usedAtMs);
  const removedItems: OpaqueItem[] = [...inventory.quarantine, ...doomed];
  let itemBytes = sum(items);
  for (const candidate of candidates) {
    const isOld = options.unusedSinceMs !== null && candidate.usedAtMs < options.unusedSinceMs;
    const isTooMuch = options.keepBytes !== null && uses.sizeBytes() + itemBytes > options.keepBytes;
    const isUnlimited = options.all && options.unusedSinceMs === null && options.keepBytes === null;
    if (!isOld && !isTooMuch && !isUnlimited) continue;
    if ("holder" in candidate) uses.drop(candidate.holder);
    else {
      removedItems.push(candidate.item);
      itemBytes -= candidate.item.sizeBytes;
    }
  }
  const layers = [...inventory.layers.values()].filter(({ diffId }) => !uses.isLayerUsed(diffId));
  const keptDirectories = new Set(
    [...inventory.layers.values()].flatMap((layer) =>
      uses.isLayerUsed(layer.diffId) && layer.directoryId !== null ? [layer.directoryId] : [],
    ),
  );
  const blobs = [...inventory.blobs.keys()].filter((digest) => !uses.isBlobUsed(digest));
  return {
    files: [
      ...uses.dropped().map(({ file }) => file),
      ...deadAliases(inventory, uses),
      ...inventory.broken,
      ...inventory.idleFiles,
    ],
    layers: layers.map(({ diffId }) => diffId),
    directories: inventory.directories.filter((id) => !keptDirectories.has(id)),
    blobs,
    items: removedItems.map(({ path }) => path),
    freedBytes:
      layers.reduce((total, layer) => total + bytesOf(layer), 0) +
      blobs.reduce((total, digest) => total + (inventory.blobs.get(digest) ?? 0), 0) +
      sum(removedItems),
  };
}

const isRemoved = ({ isRunning, isAbandoned, usedAtMs }: ContainerItem, options: PruneOptions): boolean =>
  isAbandoned ||
  (options.containers && !isRunning && (options.unusedSinceMs === null || usedAtMs < options.unusedSinceMs));

const sum = (items: readonly OpaqueItem[]): number => items.reduce((total, { sizeBytes }) => total + sizeBytes, 0);

/** Size of a layer's forms, without its blobs. */
export const bytesOf = ({ tarBytes, indexBytes, directoryBytes }: StoredLayer): number =>
  tarBytes + indexBytes + directoryBytes;

function deadAliases(inventory: Inventory, uses: Uses): readonly string[] {
  const kept = new Set<CacheKey>(
    uses
      .kept()
      .filter(({ kind }) => kind === "cache")
      .map(({ file }) => digestFromHex(basename(file)) as string as CacheKey),
  );
  return inventory.aliases.filter(({ target }) => !kept.has(target)).map(({ file }) => file);
}

/** Counts what leads to each layer and blob. */
class Uses {
  readonly #inventory: Inventory;
  readonly #layers = new Map<DiffId, number>();
  readonly #blobs = new Map<Digest, number>();
  readonly #holders: Set<Holder>;
  readonly #dropped: Holder[] = [];
  #sizeBytes = 0;

  constructor(inventory: Inventory) {
    this.#inventory = inventory;
    this.#holders = new Set(inventory.holders);
    for (const image of inventory.images) {
      for (const { imageId, diffIds } of image.platforms) {
        this.#addBlob(imageId);
        for (const diffId of diffIds) this.#addLayer(diffId);
      }
      for (const digest of [...image.manifests, ...(image.attachments ?? [])]) this.#addBlob(digest);
    }
    for (const digest of inventory.pushedBlobs) this.#addBlob(digest);
    for (const { imageId, layers } of inventory.containers) {
      this.#addBlob(imageId);
      for (const diffId of layers) this.#addLayer(diffId);
    }
    for (const holder of inventory.holders) {
      for (const diffId of holder.layers) this.#addLayer(diffId);
      for (const digest of holder.blobs) this.#addBlob(digest);
    }
  }

  /** Takes a holder away, with what only it led to. */
  drop(holder: Holder): void {
    this.#holders.delete(holder);
    this.#dropped.push(holder);
    for (const diffId of holder.layers) this.#removeLayer(diffId);
    for (const digest of holder.blobs) this.#removeBlob(digest);
  }

  dropped = (): readonly Holder[] => this.#dropped;
  kept = (): readonly Holder[] => [...this.#holders];
  isLayerUsed = (diffId: DiffId): boolean => this.#layers.has(diffId);
  isBlobUsed = (digest: Digest): boolean => this.#blobs.has(digest);
  /** Bytes of everything that is used. */
  sizeBytes = (): number => this.#sizeBytes;

  #addLayer(diffId: DiffId): void {
    const count = this.#layers.get(diffId) ?? 0;
    this.#layers.set(diffId, count + 1);
    const layer = this.#inventory.layers.get(diffId);
    if (count > 0 || layer === undefined) return;
    this.#sizeBytes += bytesOf(layer);
    for (const digest of layer.blobs) this.#addBlob(digest);
  }

  #removeLayer(diffId: DiffId): void {
    const count = this.#layers.get(diffId) ?? 0;
    if (count > 1) {
      this.#layers.set(diffId, count - 1);
      return;
    }
    this.#layers.delete(diffId);
    const layer = this.#inventory.layers.get(diffId);
    if (layer === undefined) return;
    this.#sizeBytes -= bytesOf(layer);
    for (const digest of layer.blobs) this.#removeBlob(digest);
  }

  #addBlob(digest: Digest): void {
    const count = this.#blobs.get(digest) ?? 0;
    this.#blobs.set(digest, count + 1);
    if (count === 0) this.#sizeBytes += this.#inventory.blobs.get(digest) ?? 0;
  }

  #removeBlob(digest: Digest): void {
    const count = this.#blobs.get(digest) ?? 0;
    if (count > 1) {
      this.#blobs.set(digest, count - 1);
      return;
    }
    this.#blobs.delete(digest);
    this.#sizeBytes -= this.#inventory.blobs.get(digest) ?? 0;
  }
}
