import { randomBytes } from "node:crypto";
import { mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { DiffId, Digest } from "../base/digest.ts";
import { BuildError, isBuildError, kindOf } from "../base/errors.ts";
import type { Descriptor } from "../image/descriptor.ts";
import { mediaTypes } from "../image/media-types.ts";
import type { LayerLocation } from "../layer/layer-location.ts";
import type { PackedLayer } from "../layer/layer-writer.ts";
import { hasFormat } from "./blob-format.ts";
import type { BlobStore } from "./blob-store.ts";
import type { LayerConversions } from "./layer-conversions.ts";
import { LayerFiles } from "./layer-files.ts";
import { type KnownBlob, LayerRecords } from "./layer-records.ts";
import type { BlobFormat, LayerStore } from "./layer-store.ts";
import type { RemoteFetcher } from "./remote-fetcher.ts";
import { removeTree } from "./remove-tree.ts";
import { SingleFlight } from "./single-flight.ts";
import { withStorageErrors } from "./storage-error.ts";
import type { StorePaths } from "./store-paths.ts";

/** Layers as the directories `layers/<hex>` of a store. */
export class DirectoryLayerStore implements LayerStore {
  readonly #paths: StorePaths;
  readonly #blobs: BlobStore;
  readonly #conversions: LayerConversions;
  readonly #fetcher: RemoteFetcher;
  readonly #records: LayerRecords;
  readonly #files: LayerFiles;
  readonly #flights = new SingleFlight();

  constructor(paths: StorePaths, blobs: BlobStore, conversions: LayerConversions, fetcher: RemoteFetcher) {
    this.#paths = paths;
    this.#blobs = blobs;
    this.#conversions = conversions;
    this.#fetcher = fetcher;
    this.#records = new LayerRecords(paths);
    this.#files = new LayerFiles(paths, this.#records);
  }

  async makeTemporary(): Promise<string> {
    const path = join(this.#paths.temporary, `layer-${randomBytes(6).toString("hex")}`);
    await withStorageErrors(path, () => mkdir(path, { mode: 0o700 }));
    return path;
  }

  async commitTar(temporary: string, layer: PackedLayer): Promise<void> {
    if ((await this.#files.locate(layer.diffId)) === null) await this.#files.adoptTar(temporary, layer);
    await this.#remove(temporary);
  }

  async commitDirectory(temporary: string, layer: PackedLayer): Promise<void> {
    if ((await this.#files.locate(layer.diffId)) === null) await this.#files.adoptDirectory(temporary, layer);
    await this.#remove(temporary);
  }

  async addRemote(diffId: DiffId, blob: Descriptor, origin: string): Promise<void> {
    await this.#records.addRemote(diffId, { blob, origin });
  }

  async has(diffId: DiffId): Promise<boolean> {
    if ((await this.#files.locate(diffId)) !== null) return true;
    return (await this.#records.remotes(diffId)).length > 0 || (await this.#storedBlobs(diffId)).length > 0;
  }

  async readable(diffId: DiffId, signal: AbortSignal): Promise<LayerLocation> {
    return this.#flights.run(`readable ${diffId}`, signal, (signal) => this.#makeReadable(diffId, signal));
  }

  async directory(diffId: DiffId, signal: AbortSignal): Promise<string> {
    return this.#flights.run(`directory ${diffId}`, signal, (signal) => this.#makeDirectory(diffId, signal));
  }

  async *tar(diffId: DiffId, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const layer = await this.readable(diffId, signal);
    try {
      yield* this.#conversions.streamTar(layer, signal);
    } catch (error) {
      throw await this.#afterFailure(layer, error);
    }
  }

  async blob(diffId: DiffId, format: BlobFormat, signal: AbortSignal, force = false): Promise<Descriptor> {
    const key = `blob ${diffId} ${format.compression} ${format.level} ${force}`;
    return this.#flights.run(key, signal, async (signal) => {
      const stored = await this.#storedBlobs(diffId);
      const usable = stored.find((known) => hasFormat(known, format)) ?? (force ? undefined : stored[0]);
      if (usable !== undefined) return usable.blob;
      const remotes = await this.#records.remotes(diffId);
      if (remotes.some(({ blob }) => !force || hasFormat({ blob, format: null }, format)))
        return this.#fetch(diffId, signal);
      return this.#compress(diffId, format, signal);
    });
  }

  async sizeBytes(diffId: DiffId): Promise<number> {
    const record = await this.#records.layer(diffId);
    if (record !== null) return record.sizeBytes;
    const known = (await this.#records.blobs(diffId))[0] ?? (await this.#records.remotes(diffId))[0];
    if (known === undefined) throw notFound(diffId);
    return known.blob.size;
  }

  async #makeReadable(diffId: DiffId, signal: AbortSignal): Promise<LayerLocation> {
    let layer = await this.#files.locate(diffId);
    if (layer !== null && !(await this.#files.isIndexSound(diffId))) layer = await this.#restoreIndex(layer, signal);
    if (layer?.tarFile === null && (await this.#files.isDoubtful(diffId)))
      layer = await this.#judgeDirectory(layer, signal);
    return layer ?? this.#importFromBlob(diffId, signal);
  }

  async #makeDirectory(diffId: DiffId, signal: AbortSignal): Promise<string> {
    let layer = await this.readable(diffId, signal);
    if (layer.directory !== null && !(await this.#files.isDoubtful(diffId))) return layer.directory;
    // `readable` leaves no doubtful directory without a tar to make it again from.
    const temporary = await this.makeTemporary();
    try {
      const into = join(temporary, "dir");
      await this.#conversions.unpack(layer, into, signal);
      await this.#files.adoptDirectory(temporary, { diffId, sizeBytes: await this.sizeBytes(diffId) });
    } catch (error) {
      throw await this.#afterFailure(layer, error);
    } finally {
      await this.#remove(temporary);
    }
    layer = await this.readable(diffId, signal);
    if (layer.directory === null) throw notFound(diffId);
    return layer.directory;
  }

  /** A tar from which a broken index can be made again; null when there is none. */
  async #restoreIndex(layer: LayerLocation, signal: AbortSignal): Promise<LayerLocation | null> {
    const aside = await this.#files.quarantine(layer.diffId);
    if (layer.tarFile === null) return null;
    const plain = {
      mediaType: mediaTypes.ociLayer,
      digest: layer.diffId as string as Digest,
      size: (await stat(join(aside, "tar"))).size,
    };
    return this.#import(layer.diffId, join(aside, "tar"), plain, signal).catch((error: unknown) => {
      if (isCorruption(error)) return null;
      throw error;
    });
  }

  /** Reads all of a directory that a power loss may have damaged; null when it did, and nothing of the layer is left. */
  async #judgeDirectory(layer: LayerLocation, signal: AbortSignal): Promise<LayerLocation | null> {
    try {
      for await (const _ of this.#conversions.streamTar(layer, signal));
      await this.#files.trustDirectory(layer.diffId);
      return layer;
    } catch (error) {
      if (!isCorruption(error)) throw error;
      await this.#files.quarantine(layer.diffId);
      return null;
    }
  }

  async #importFromBlob(diffId: DiffId, signal: AbortSignal): Promise<LayerLocation> {
    const blob = (await this.#storedBlobs(diffId))[0]?.blob ?? (await this.#fetch(diffId, signal));
    try {
      return await this.#import(diffId, this.#blobs.path(blob.digest), blob, signal);
    } catch (error) {
      // The blob is what its digest says only as long as the disk is; the next try gets it anew.
      if (isCorruption(error)) await this.#verifyBlob(blob);
      throw error;
    }
  }

  async #import(diffId: DiffId, file: string, blob: Descriptor, signal: AbortSignal): Promise<LayerLocation> {
    const temporary = await this.makeTemporary();
    try {
      const layer = await this.#conversions.importBlob(file, blob, diffId, temporary, signal);
      await this.#files.adoptTar(temporary, layer);
    } finally {
      await this.#remove(temporary);
    }
    const location = await this.#files.locate(diffId);
    if (location === null) throw notFound(diffId);
    return location;
  }

  async #fetch(diffId: DiffId, signal: AbortSignal): Promise<Descriptor> {
    return this.#flights.run(`fetch ${diffId}`, signal, async (signal) => {
      const remotes = await this.#records.remotes(diffId);
      if (remotes.length === 0) throw notFound(diffId);
      const blob = await this.#fetcher.fetch(remotes, signal);
      await this.#records.addBlob(diffId, { blob, format: null });
      return blob;
    });
  }

  async #compress(diffId: DiffId, format: BlobFormat, signal: AbortSignal): Promise<Descriptor> {
    const layer = await this.readable(diffId, signal);
    const temporary = await this.makeTemporary();
    try {
      const file = join(temporary, "blob");
      const blob = await this.#conversions.compress(layer, format, file, signal);
      if (!(await this.#blobs.has(blob))) await this.#blobs.adopt(blob, file);
      await this.#records.addBlob(diffId, { blob, format });
      return blob;
    } catch (error) {
      throw await this.#afterFailure(layer, error);
    } finally {
      await this.#remove(temporary);
    }
  }

  async #storedBlobs(diffId: DiffId): Promise<readonly KnownBlob[]> {
    const known = await this.#records.blobs(diffId);
    const there = await Promise.all(known.map(({ blob }) => this.#blobs.has(blob)));
    return known.filter((_, at) => there[at] === true);
  }

  /** A form that turned out not to be what it should be must not be met again. */
  async #afterFailure(layer: LayerLocation, error: unknown): Promise<unknown> {
    if (!isCorruption(error)) return error;
    await this.#files.quarantine(layer.diffId);
    return error;
  }

  async #verifyBlob(blob: Descriptor): Promise<void> {
    for await (const _ of this.#blobs.read(blob.digest));
  }

  async #remove(temporary: string): Promise<void> {
    await withStorageErrors(temporary, () => removeTree(temporary, this.#paths.temporary));
  }
}

const isCorruption = (error: unknown): boolean => isBuildError(error) && kindOf(error.code) === "corruption";

const notFound = (diffId: DiffId): BuildError =>
  new BuildError("LAYER_NOT_FOUND", `layer ${diffId}: not in the store, or broken and set aside`, {
    hint: "build again: what is missing is made anew",
    details: { diffId },
  });
