import { lstat, readdir, readlink, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { asDiffId, type CacheKey, type DiffId, type Digest, digestFromHex } from "../base/digest.ts";
import { isBuildError } from "../base/errors.ts";
import { parseImageConfig } from "../image/config-json.ts";
import { largestConfigBytes } from "../image/image-document.ts";
import type { BlobStore } from "./blob-store.ts";
import { parseCacheRecord } from "./cache-records.ts";
import { ContainerStore } from "./container-store.ts";
import type { ImageStore, StoredImage } from "./image-store.ts";
import { LayerRecords } from "./layer-records.ts";
import { parsePin } from "./pins.ts";
import { readExpendableRecord } from "./record-file.ts";
import { Repositories } from "./repositories.ts";
import { isMissing, withStorageErrors } from "./storage-error.ts";
import type { StorePaths } from "./store-paths.ts";

/** A file that keeps layers and blobs in the store, but may go: a cache record or a pin. */
export interface Holder {
  readonly kind: "cache" | "pin";
  readonly file: string;
  readonly description: string;
  readonly usedAtMs: number;
  readonly layers: readonly DiffId[];
  readonly blobs: readonly Digest[];
}

export interface StoredLayer {
  readonly diffId: DiffId;
  readonly tarBytes: number;
  /** Name below `dirs/`; null when there is no directory form. */
  readonly directoryId: string | null;
  /** About what the directory form takes: the size of the tar. */
  readonly directoryBytes: number;
  readonly indexBytes: number;
  readonly blobs: readonly Digest[];
}

/** A file or directory whose content the store does not look into. */
export interface OpaqueItem {
  readonly path: string;
  readonly sizeBytes: number;
  readonly usedAtMs: number;
}

/** A container, with the image it keeps in the store. */
export interface ContainerItem extends OpaqueItem {
  readonly imageId: Digest;
  readonly layers: readonly DiffId[];
  readonly isRunning: boolean;
  /** Nobody wants it any more: it was to go with its process, which was killed. */
  readonly isAbandoned: boolean;
}

/** Everything in a store, as found in one pass over it. */
export interface Inventory {
  readonly images: readonly StoredImage[];
  /** Blobs of what was pushed into this store: they stay. */
  readonly pushedBlobs: readonly Digest[];
  /** Files that make blobs part of a repository though nothing there has named them for a day. */
  readonly idleFiles: readonly string[];
  readonly holders: readonly Holder[];
  /** Aliases of cache records: file and the name of the record it leads to. */
  readonly aliases: readonly { readonly file: string; readonly target: CacheKey }[];
  /** Records that cannot be read. */
  readonly broken: readonly string[];
  readonly layers: ReadonlyMap<DiffId, StoredLayer>;
  /** Sizes. */
  readonly blobs: ReadonlyMap<Digest, number>;
  /** Names below `dirs/`. */
  readonly directories: readonly string[];
  readonly mounts: readonly OpaqueItem[];
  readonly contexts: readonly OpaqueItem[];
  readonly containers: readonly ContainerItem[];
  readonly quarantine: readonly OpaqueItem[];
}

/** How long a pushed blob is kept that no manifest names: those who push send blobs first. */
const pushPatienceMs = 24 * 3600 * 1000;
const hexName = /^[0-9a-f]{64}$/;

/** Takes stock of a store. Throws STORE_RECORD_INVALID when the record of an image, of a container, or of what was pushed, cannot be read. */
export async function takeInventory(paths: StorePaths, images: ImageStore, blobs: BlobStore): Promise<Inventory> {
  return withStorageErrors(paths.root, async () => {
    const cache = await readCache(paths);
    const pins = await readPins(paths, blobs);
    const pushed = await new Repositories(paths).needs(Date.now() - pushPatienceMs);
    return {
      images: await images.list(),
      pushedBlobs: pushed.blobs,
      idleFiles: pushed.idleFiles,
      holders: [...cache.holders, ...pins.holders],
      aliases: cache.aliases,
      broken: [...cache.broken, ...pins.broken],
      layers: await readLayers(paths),
      blobs: await readBlobs(paths),
      directories: await namesIn(join(paths.root, "dirs")),
      mounts: await readOpaque(join(paths.root, "mounts")),
      contexts: await readOpaque(join(paths.root, "contexts")),
      containers: await readContainers(paths),
      quarantine: await readOpaque(join(paths.root, "quarantine")),
    };
  });
}

async function readCache(paths: StorePaths): Promise<Pick<Inventory, "holders" | "aliases" | "broken">> {
  const holders: Holder[] = [];
  const aliases: { file: string; target: CacheKey }[] = [];
  const broken: string[] = [];
  for (const name of await namesIn(join(paths.root, "cache"))) {
    const file = join(paths.root, "cache", name);
    const [hex = "", suffix] = name.split(".");
    if (suffix === "alias") {
      const target = await readExpendableRecord(file, (fields) => fields.text("target") as CacheKey);
      if (target === null) broken.push(file);
      else aliases.push({ file, target });
      continue;
    }
    const key = hexName.test(hex) ? (digestFromHex(hex) as string as CacheKey) : null;
    const record = key === null ? null : await readExpendableRecord(file, (fields) => parseCacheRecord(fields, key));
    if (record === null) broken.push(file);
    else
      holders.push({
        kind: "cache",
        file,
        description: record.description,
        usedAtMs: await modifiedAtMs(file),
        layers: record.layers.map(({ diffId }) => diffId),
        blobs: [],
      });
  }
  return { holders, aliases, broken };
}

async function readPins(paths: StorePaths, blobs: BlobStore): Promise<Pick<Inventory, "holders" | "broken">> {
  const holders: Holder[] = [];
  const broken: string[] = [];
  for (const name of await namesIn(join(paths.root, "pins"))) {
    const file = paths.pin(name);
    const pin = await readExpendableRecord(file, parsePin);
    if (pin === null) broken.push(file);
    else
      holders.push({
        kind: "pin",
        file,
        description: `${pin.reference} ${pin.platform}`,
        usedAtMs: await modifiedAtMs(file),
        layers: await layersOfConfig(blobs, pin.imageId),
        blobs: [pin.digest, pin.manifest, pin.imageId],
      });
  }
  return { holders, broken };
}

async function layersOfConfig(blobs: BlobStore, imageId: Digest): Promise<readonly DiffId[]> {
  try {
    return parseImageConfig(await blobs.readBytes(imageId, largestConfigBytes)).diffIds;
  } catch (error) {
    if (isBuildError(error)) return [];
    throw error;
  }
}

async function readLayers(paths: StorePaths): Promise<ReadonlyMap<DiffId, StoredLayer>> {
  const records = new LayerRecords(paths);
  const layers = new Map<DiffId, StoredLayer>();
  for (const hex of await namesIn(join(paths.root, "layers"))) {
    if (!hexName.test(hex)) continue;
    const diffId = asDiffId(digestFromHex(hex));
    const link = await readlink(paths.layerFile(diffId, "dir")).catch(() => null);
    layers.set(diffId, {
      diffId,
      tarBytes: await sizeOf(paths.layerFile(diffId, "tar")),
      indexBytes: await sizeOf(paths.layerFile(diffId, "index")),
      directoryId: link === null ? null : basename(link),
      directoryBytes: link === null ? 0 : ((await records.layer(diffId))?.sizeBytes ?? 0),
      blobs: (await records.blobs(diffId)).map(({ blob }) => blob.digest),
    });
  }
  return layers;
}

async function readBlobs(paths: StorePaths): Promise<ReadonlyMap<Digest, number>> {
  const directory = join(paths.root, "blobs", "sha256");
  const sizes = new Map<Digest, number>();
  for (const hex of await namesIn(directory))
    if (hexName.test(hex)) sizes.set(digestFromHex(hex), await sizeOf(join(directory, hex)));
  return sizes;
}

async function readOpaque(directory: string): Promise<readonly OpaqueItem[]> {
  const items: OpaqueItem[] = [];
  for (const name of await namesIn(directory)) {
    const path = join(directory, name);
    items.push({ path, sizeBytes: await treeSize(Buffer.from(path)), usedAtMs: await modifiedAtMs(path) });
  }
  return items;
}

async function readContainers(paths: StorePaths): Promise<readonly ContainerItem[]> {
  const items: ContainerItem[] = [];
  const containers = await new ContainerStore(paths).list();
  for (const { id, imageId, diffIds, isRunning, isTransient, createdAtMs, exit } of containers) {
    const path = paths.container(id);
    items.push({
      path,
      sizeBytes: await treeSize(Buffer.from(path)),
      usedAtMs: exit?.finishedAtMs ?? createdAtMs,
      imageId,
      layers: diffIds,
      isRunning,
      isAbandoned: isTransient && !isRunning,
    });
  }
  return items;
}

/** Bytes of all files in a tree; what cannot be looked at counts nothing. */
async function treeSize(path: Buffer): Promise<number> {
  let total = 0;
  const pending = [path];
  for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
    const stats = await lstat(at).catch(() => null);
    if (stats === null) continue;
    if (!stats.isDirectory()) {
      total += stats.size;
      continue;
    }
    for (const name of await readdir(at, { encoding: "buffer" }).catch(() => []))
      pending.push(Buffer.concat([at, Buffer.from("/"), name]));
  }
  return total;
}

async function namesIn(directory: string): Promise<readonly string[]> {
  return readdir(directory).catch((error: unknown) => {
    if (isMissing(error)) return [];
    throw error;
  });
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}

async function modifiedAtMs(path: string): Promise<number> {
  return lstat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  );
}
