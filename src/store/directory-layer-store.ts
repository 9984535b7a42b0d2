import { randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { DiffId, Digest } from "../base/digest.ts";
import { BuildError, isBuildError, kindOf } from "../base/errors.ts";
import type { Descriptor } from "../image/descriptor.ts";
import { type Compression, mediaTypes } from "../image/media-types.ts";
import { noBlocks, withLevel } from "../layer/compress-blocks.ts";
import { fileChunks } from "../layer/file-chunks.ts";
import { GrowingTar } from "../layer/growing-tar.ts";
import type { LayerLocation } from "../layer/layer-location.ts";
import type { PackedLayer } from "../layer/layer-writer.ts";
import { detectCompression } from "../layer/magic.ts";
import { hasFormat } from "./blob-format.ts";
import type { BlobIdentity, BlobStore } from "./blob-store.ts";
import { BlockNotes } from "./block-notes.ts";
import type { LayerConversions } from "./layer-conversions.ts";
import { LayerFiles } from "./layer-files.ts";
import { type KnownBlob, LayerRecords, type RemoteBlob } from "./layer-records.ts";
import type { BlobFormat, LayerStore } from "./layer-store.ts";
import type { RemoteFetcher } from "./remote-fetcher.ts";
import { removeTree } from "./remove-tree.ts";
import { SingleFlight } from "./single-flight.ts";
import { withStorageErrors } from "./storage-error.ts";
import type { StorePaths } from "./store-paths.ts";
import { type WrittenBlob, writeVerified } from "./write-blob.ts";

/** Layers as the directories `layers/<hex>` of a store. */
export class DirectoryLayerStore implements LayerStore {
  readonly #paths: StorePaths;
  readonly #blobs: BlobStore;
  readonly #conversions: LayerConversions;
  readonly #fetcher: RemoteFetcher;
  readonly #records: LayerRecords;
  readonly #files: LayerFiles;
  readonly #blockNotes: BlockNotes;
  readonly #flights = new SingleFlight();
  /** Layers found to be there. While a store is held nobody removes any, so they are until one is set aside. */
  readonly #known = new Set<DiffId>();
  /** Where their forms are: a step asks for those of every layer below it. */
  readonly #readable = new Map<DiffId, LayerLocation>();
  readonly #directories = new Map<DiffId, string>();

  /** Blobs of layers that were packed by this process, by diffID and format; null for those that failed. */
  readonly #ahead = new Map<string, Promise<CompressedLayer | null>>();

  constructor(paths: StorePaths, blobs: BlobStore, conversions: LayerConversions, fetcher: RemoteFetcher) {
    paths.recheckWhenHeld(() => this.#isAllStillThere());
    this.#paths = paths;
    this.#blobs = blobs;
    this.#conversions = conversions;
    this.#fetcher = fetcher;
    this.#records = new LayerRecords(paths);
    this.#files = new LayerFiles(paths, this.#records);
    this.#blockNotes = new BlockNotes(paths);
  }

  async makeTemporary(): Promise<string> {
    await this.#paths.hold();
    const path = join(this.#paths.temporary, `layer-${randomBytes(6).toString("hex")}`);
    await withStorageErrors(path, () => mkdir(path, { mode: 0o700 }));
    return path;
  }

  async packWhileCompressing<T extends { readonly layer: PackedLayer }>(
    temporary: string,
    format: BlobFormat,
    pack: () => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    const tar = new GrowingTar(join(temporary, "tar"));
    const compressed = this.#compressInto(tar.chunks(signal), format, signal);
    // It only saves time: who asks for the blob and finds that this has failed compresses the layer then.
    const orNothing = compressed.catch(() => null);
    try {
      const packed = await pack();
      tar.end(packed.layer);
      this.#ahead.set(`${packed.layer.diffId} ${format.compression} ${format.level}`, orNothing);
      return packed;
    } catch (error) {
      tar.abandon();
      throw error;
    }
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

  async importBlob(
    diffId: DiffId,
    blob: BlobIdentity,
    bytes: () => AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<void> {
    if ((await this.#files.locate(diffId)) !== null) return;
    await this.#flights.run(`import ${diffId}`, signal, async (signal) => {
      const temporary = await this.makeTemporary();
      try {
        const file = join(temporary, "blob");
        await writeVerified(file, blob, bytes(), signal);
        await this.#unpack(file, blob, diffId, "tar", signal);
        const compression = compressionOfFile(file);
        if (compression === "none") return;
        if (!(await this.#blobs.has(blob))) await this.#blobs.adopt(blob, file);
        const mediaType = layerMediaTypes[compression];
        await this.#records.addBlob(diffId, { blob: { ...blob, mediaType }, format: null });
      } finally {
        await this.#remove(temporary);
      }
    });
  }

  async origins(diffId: DiffId, blob: Digest): Promise<readonly string[]> {
    const remotes = await this.#records.remotes(diffId);
    return remotes.filter((remote) => remote.blob.digest === blob).map(({ origin }) => origin);
  }

  async has(diffId: DiffId): Promise<boolean> {
    if (this.#known.has(diffId)) return true;
    const isThere =
      this.#files.has(diffId) ||
      (await this.#records.remotes(diffId)).length > 0 ||
      (await this.#storedBlobs(diffId)).length > 0;
    if (isThere) this.#known.add(diffId);
    return isThere;
  }

  /** Whether the layers found before the store was held are still there. */
  async #isAllStillThere(): Promise<boolean> {
    const found = [...this.#known];
    this.#known.clear();
    for (const diffId of found) if (!(await this.has(diffId))) return false;
    return true;
  }

  async readable(diffId: DiffId, signal: AbortSignal): Promise<LayerLocation> {
    const known = this.#readable.get(diffId);
    if (known !== undefined) return known;
    await this.#paths.hold();
    return this.#flights.run(`readable ${diffId}`, signal, async (signal) => {
      const location = await this.#makeReadable(diffId, signal);
      this.#readable.set(diffId, location);
      return location;
    });
  }

  async directory(diffId: DiffId, signal: AbortSignal): Promise<string> {
    const known = this.#directories.get(diffId);
    if (known !== undefined) return known;
    await this.#paths.hold();
    return this.#flights.run(`directory ${diffId}`, signal, async (signal) => {
      const directory = await this.#makeDirectory(diffId, signal);
      this.#directories.set(diffId, directory);
      return directory;
    });
  }

  async *tar(diffId: DiffId, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const layer = await this.#streamable(diffId, signal);
    try {
      yield* this.#conversions.streamTar(layer, signal);
    } catch (error) {
      throw await this.#afterFailure(layer, error);
    }
  }

  async blob(diffId: DiffId, format: BlobFormat, signal: AbortSignal, force = false): Promise<Descriptor> {
    await this.#paths.hold();
    const key = `blob ${diffId} ${format.compression} ${format.level} ${force}`;
    return this.#flights.run(key, signal, async (signal) => {
      const stored = await this.#storedBlobs(diffId);
      const isWanted = (blob: Descriptor): boolean => !force || hasFormat({ blob, format: null }, format);
      // The order makes sure that what leaves does not depend on what left earlier.
      const original = stored.find((known) => known.format === null && isWanted(known.blob));
      if (original !== undefined) return original.blob;
      const remotes = (await this.#records.remotes(diffId)).filter(({ blob }) => isWanted(blob));
      if (remotes.length > 0) return this.#fetch(diffId, remotes, signal);
      const made = stored.find((known) => known.format !== null && hasFormat(known, format));
      if (made !== undefined) return made.blob;
      return this.#compress(diffId, format, signal);
    });
  }

  async originalBlob(diffId: DiffId, digest: Digest, signal: AbortSignal): Promise<Descriptor | null> {
    const stored = (await this.#storedBlobs(diffId)).find(
      ({ blob, format }) => format === null && blob.digest === digest,
    );
    if (stored !== undefined) return stored.blob;
    const remotes = (await this.#records.remotes(diffId)).filter(({ blob }) => blob.digest === digest);
    return remotes.length === 0 ? null : this.#fetch(diffId, remotes, signal);
  }

  async sizeBytes(diffId: DiffId): Promise<number> {
    const record = await this.#records.layer(diffId);
    if (record !== null) return record.sizeBytes;
    const known = (await this.#records.blobs(diffId))[0] ?? (await this.#records.remotes(diffId))[0];
    if (known === undefined) throw notFound(diffId);
    return known.blob.size;
  }

  async #makeReadable(diffId: DiffId, signal: AbortSignal): Promise<LayerLocation> {
    return (await this.#soundForms(diffId, signal)) ?? this.#unpackBlob(diffId, "tar", signal);
  }

  async #makeDirectory(diffId: DiffId, signal: AbortSignal): Promise<string> {
    const found = await this.#soundForms(diffId, signal);
    if (found?.directory != null && !(await this.#files.isDoubtful(diffId))) return found.directory;
    const made = await this.#unpackTar(diffId, found?.tarFile ?? null, signal);
    const { directory } = made ?? (await this.#unpackBlob(diffId, "dir", signal));
    if (directory === null) throw notFound(diffId);
    return directory;
  }

  /** Makes the directory from the tar; null when there is none, or it is broken and was set aside. */
  async #unpackTar(diffId: DiffId, tarFile: string | null, signal: AbortSignal): Promise<LayerLocation | null> {
    if (tarFile === null) return null;
    try {
      return await this.#unpack(tarFile, null, diffId, "dir", signal);
    } catch (error) {
      if (!isCorruption(error)) throw error;
      await this.#quarantine(diffId);
      if (await this.has(diffId)) return null;
      throw error;
    }
  }

  /** A layer whose tar can be streamed: its own, or one made from a directory a step wrote. */
  async #streamable(diffId: DiffId, signal: AbortSignal): Promise<LayerLocation> {
    const layer = await this.readable(diffId, signal);
    if (layer.tarFile !== null || (await this.#conversions.isCanonical(layer))) return layer;
    return this.#flights.run(`tar ${diffId}`, signal, (signal) => this.#unpackBlob(diffId, "tar", signal));
  }

  /** The forms that are there, unless something is wrong with them: then it is put right, or they are set aside. */
  async #soundForms(diffId: DiffId, signal: AbortSignal): Promise<LayerLocation | null> {
    const found = await this.#files.locate(diffId);
    if (found === null) return null;
    if (!(await this.#files.isIndexSound(diffId))) return this.#restoreIndex(found, signal);
    // A doubtful directory that has a tar is made again when it is asked for.
    if (found.tarFile !== null || !(await this.#files.isDoubtful(diffId))) return found;
    return this.#judgeDirectory(found, signal);
  }

  /** Makes a broken index again from the tar; null when there is no sound one. */
  async #restoreIndex(layer: LayerLocation, signal: AbortSignal): Promise<LayerLocation | null> {
    const aside = await this.#quarantine(layer.diffId);
    if (layer.tarFile === null) return null;
    try {
      return await this.#unpack(join(aside, "tar"), null, layer.diffId, "tar", signal);
    } catch (error) {
      if (!isCorruption(error)) throw error;
      return null;
    }
  }

  /** Reads all of a directory that a power loss may have damaged; null when it cannot be trusted, and is set aside. */
  async #judgeDirectory(layer: LayerLocation, signal: AbortSignal): Promise<LayerLocation | null> {
    try {
      if (await this.#conversions.isCanonical(layer)) {
        for await (const _ of this.#conversions.streamTar(layer, signal));
        await this.#files.trustDirectory(layer.diffId);
        return layer;
      }
    } catch (error) {
      if (!isCorruption(error) && !isBuildError(error, "CONTEXT_FILE_CHANGED")) throw error;
    }
    await this.#quarantine(layer.diffId);
    return null;
  }

  /** Makes a form, and the index, from a blob that is here or is fetched. */
  async #unpackBlob(diffId: DiffId, form: "tar" | "dir", signal: AbortSignal): Promise<LayerLocation> {
    const blob =
      (await this.#storedBlobs(diffId))[0]?.blob ??
      (await this.#fetch(diffId, await this.#records.remotes(diffId), signal));
    try {
      return await this.#unpack(this.#blobs.path(blob.digest), blob, diffId, form, signal);
    } catch (error) {
      // The blob is what its digest says only as long as the disk is: this sets it aside if it no longer is.
      if (isCorruption(error)) for await (const _ of this.#blobs.read(blob.digest));
      throw error;
    }
  }

  async #unpack(
    file: string,
    blob: BlobIdentity | null,
    diffId: DiffId,
    form: "tar" | "dir",
    signal: AbortSignal,
  ): Promise<LayerLocation> {
    const temporary = await this.makeTemporary();
    try {
      const wanted = {
        indexFile: join(temporary, "index"),
        tarFile: form === "tar" ? join(temporary, "tar") : null,
        directory: form === "dir" ? join(temporary, "dir") : null,
      };
      const layer = await this.#conversions.unpack(file, blob, diffId, wanted, signal);
      if (form === "tar") await this.#files.adoptTar(temporary, layer);
      else await this.#files.adoptDirectory(temporary, layer);
    } finally {
      await this.#remove(temporary);
    }
    this.#readable.delete(diffId);
    const location = await this.#files.locate(diffId);
    if (location === null) throw notFound(diffId);
    return location;
  }

  async #fetch(diffId: DiffId, remotes: readonly RemoteBlob[], signal: AbortSignal): Promise<Descriptor> {
    const [first] = remotes;
    if (first === undefined) throw notFound(diffId);
    return this.#flights.run(`fetch ${first.blob.digest}`, signal, async (signal) => {
      const blob = await this.#fetcher.fetch(remotes, signal);
      await this.#records.addBlob(diffId, { blob, format: null });
      return blob;
    });
  }

  async #compress(diffId: DiffId, format: BlobFormat, signal: AbortSignal): Promise<Descriptor> {
    const ahead = await this.#ahead.get(`${diffId} ${format.compression} ${format.level}`);
    if (ahead != null) return this.#adoptBlob(diffId, format, ahead);
    const layer = await this.#streamable(diffId, signal);
    try {
      const compressed = await this.#compressInto(this.#conversions.passTar(layer, signal), format, signal);
      return await this.#adoptBlob(diffId, format, compressed);
    } catch (error) {
      throw await this.#afterFailure(layer, error);
    }
  }

  /** Writes the blob into a temporary directory of its own. */
  async #compressInto(
    tar: AsyncIterable<Uint8Array>,
    format: BlobFormat,
    signal: AbortSignal,
  ): Promise<CompressedLayer> {
    const temporary = await this.makeTemporary();
    try {
      const { compression, level } = format;
      const known = compression === "none" ? noBlocks : await this.#blockNotes.known(withLevel(compression, level));
      const written = await this.#conversions.compress(tar, format, known, join(temporary, "blob"), signal);
      return { temporary, written };
    } catch (error) {
      await this.#remove(temporary);
      throw error;
    }
  }

  async #adoptBlob(diffId: DiffId, format: BlobFormat, { temporary, written }: CompressedLayer): Promise<Descriptor> {
    const { compression, level } = format;
    try {
      const blob = { mediaType: layerMediaTypes[compression], digest: written.digest, size: written.size };
      if (!(await this.#blobs.has(blob))) await this.#blobs.adopt(blob, join(temporary, "blob"));
      await this.#records.addBlob(diffId, { blob, format });
      if (compression !== "none") await this.#blockNotes.save(diffId, withLevel(compression, level), written);
      return blob;
    } finally {
      this.#ahead.delete(`${diffId} ${compression} ${level}`);
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
    // To the store, a file of a directory form that is not as the index says is damage, not a change.
    const isChanged = isBuildError(error, "CONTEXT_FILE_CHANGED");
    if (!isCorruption(error) && !isChanged) return error;
    await this.#quarantine(layer.diffId);
    if (!isChanged) return error;
    return new BuildError("LAYER_MALFORMED", `layer ${layer.diffId}: its directory was changed`, {
      hint: "build again: the layer was set aside and is made anew",
      cause: error,
      details: { diffId: layer.diffId },
    });
  }

  /** Sets the forms that lie in files aside; returns where they are now. */
  async #quarantine(diffId: DiffId): Promise<string> {
    this.#known.delete(diffId);
    this.#readable.delete(diffId);
    this.#directories.delete(diffId);
    return this.#files.quarantine(diffId);
  }

  async #remove(temporary: string): Promise<void> {
    await withStorageErrors(temporary, () => removeTree(temporary, this.#paths.temporary));
  }
}

/** A blob that is not part of the store yet: `<temporary>/blob`. */
interface CompressedLayer {
  readonly temporary: string;
  readonly written: WrittenBlob;
}

const layerMediaTypes = {
  none: mediaTypes.ociLayer,
  gzip: mediaTypes.ociLayerGzip,
  zstd: mediaTypes.ociLayerZstd,
} as const;

/** Of a blob that was unpacked: nothing but these can be. */
function compressionOfFile(file: string): Compression {
  for (const chunk of fileChunks(file)) {
    const found = detectCompression(chunk);
    return found === "gzip" || found === "zstd" ? found : "none";
  }
  return "none";
}

const isCorruption = (error: unknown): boolean => isBuildError(error) && kindOf(error.code) === "corruption";

const notFound = (diffId: DiffId): BuildError =>
  new BuildError("LAYER_NOT_FOUND", `layer ${diffId}: not in the store, or broken and set aside`, {
    hint: "build again: what is missing is made anew",
    details: { diffId },
  });
