import { type DiffId, type Digest, hexOf } from "../base/digest.ts";
import { isBuildError } from "../base/errors.ts";
import { parseImageConfig } from "../image/config-json.ts";
import type { ImageConfig } from "../image/image-config.ts";
import { largestConfigBytes } from "../image/image-document.ts";
import { familiarReference, parseReference, type Reference } from "../image/reference.ts";
import type { StoredImage, StoredPlatformImage } from "../store/image-store.ts";
import { LayerRecords } from "../store/layer-records.ts";
import type { Store } from "../store/open-store.ts";

/** The first twelve digits of an image ID, as docker shows it. */
export const shortId = (id: Digest): string => hexOf(id).slice(0, 12);

/** A platform of an image under one of its names. */
export interface ImageRow {
  readonly image: StoredImage;
  readonly reference: Reference;
  readonly platform: StoredPlatformImage;
  /** Null when it is gone or broken: one such image keeps nobody from seeing the others. */
  readonly config: ImageConfig | null;
  /** When it was built, in milliseconds since 1970; null when nothing says so. */
  readonly createdAtMs: number | null;
}

/** The config of a stored image. Throws BLOB_* when it is gone or broken. */
export async function readConfig(store: Store, imageId: Digest): Promise<ImageConfig> {
  return parseImageConfig(await store.blobs.readBytes(imageId, largestConfigBytes), `config ${imageId}`);
}

/** All images of the store, newest first. */
export async function listImageRows(store: Store): Promise<readonly ImageRow[]> {
  const images = await store.images.list();
  const rows = images.flatMap((image) => image.platforms.map((platform) => rowOf(store, image, platform)));
  return (await Promise.all(rows)).sort((a, b) => (b.createdAtMs ?? 0) - (a.createdAtMs ?? 0));
}

async function rowOf(store: Store, image: StoredImage, platform: StoredPlatformImage): Promise<ImageRow> {
  const config = await readConfig(store, platform.imageId).catch((error: unknown) => {
    if (isBuildError(error) && /^(?:BLOB|IMAGE)_/.test(error.code)) return null;
    throw error;
  });
  const reference = parseReference(image.reference);
  return { image, reference, platform, config, createdAtMs: createdAtMsOf(config) };
}

/** When an image was built, in milliseconds since 1970; null when its config does not say. */
export function createdAtMsOf(config: ImageConfig | null): number | null {
  const atMs = config?.created == null ? Number.NaN : Date.parse(config.created);
  return Number.isNaN(atMs) ? null : atMs;
}

/** `busybox`, `ns/app`, `ghcr.io/ns/app`: a name without tag and digest, as docker shows it. */
export const repositoryOf = (reference: Reference): string =>
  familiarReference({ ...reference, tag: null, digest: null });

/** Sizes of layers without compression, in bytes; of the compressed blob for one that was never unpacked. */
export class LayerSizes {
  readonly #records: LayerRecords;
  readonly #known = new Map<DiffId, Promise<number>>();

  constructor(store: Store) {
    this.#records = new LayerRecords(store.paths);
  }

  async sum(diffIds: readonly DiffId[]): Promise<number> {
    const sizes = await Promise.all(diffIds.map((diffId) => this.of(diffId)));
    return sizes.reduce((sum, sizeBytes) => sum + sizeBytes, 0);
  }

  of(diffId: DiffId): Promise<number> {
    const known = this.#known.get(diffId) ?? this.#measure(diffId);
    this.#known.set(diffId, known);
    return known;
  }

  async #measure(diffId: DiffId): Promise<number> {
    const layer = await this.#records.layer(diffId);
    if (layer !== null) return layer.sizeBytes;
    return ((await this.#records.blobs(diffId))[0] ?? (await this.#records.remotes(diffId))[0])?.blob.size ?? 0;
  }
}

/** The layers that only one of the images is made of, by image ID. */
export function findUniqueLayers(images: readonly StoredPlatformImage[]): ReadonlyMap<Digest, readonly DiffId[]> {
  const users = new Map<DiffId, Set<Digest>>();
  for (const { imageId, diffIds } of images)
    for (const diffId of diffIds) users.set(diffId, (users.get(diffId) ?? new Set()).add(imageId));
  return new Map(
    images.map(({ imageId, diffIds }) => [imageId, diffIds.filter((diffId) => users.get(diffId)?.size === 1)]),
  );
}
