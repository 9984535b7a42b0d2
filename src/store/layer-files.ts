import { createHash, randomBytes } from "node:crypto";
import { createReadStream, readFileSync, readlinkSync, renameSync, statSync, symlinkSync } from "node:fs";
import { mkdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { type DiffId, type Digest, digestFromHex, hexOf } from "../base/digest.ts";
import { BuildError } from "../base/errors.ts";
import type { LayerLocation } from "../layer/layer-location.ts";
import type { PackedLayer } from "../layer/layer-writer.ts";
import { ignoreMissing, moveInto, readSmallFile, removeFile, replaceFile } from "./atomic-file.ts";
import type { LayerRecords } from "./layer-records.ts";
import { isMissing, systemErrorCode, withStorageErrors } from "./storage-error.ts";
import type { LayerFileName, StorePaths } from "./store-paths.ts";

/**
 * The forms of a layer that lie in `layers/<hex>/`: index, tar and directory. The index is put in its place last and
 * makes the layer visible.
 */
export class LayerFiles {
  readonly #paths: StorePaths;
  readonly #records: LayerRecords;
  #bootId: string | null = null;
  /** Layers whose index was verified by this process. */
  readonly #verified = new Set<DiffId>();

  constructor(paths: StorePaths, records: LayerRecords) {
    this.#paths = paths;
    this.#records = records;
  }

  /** Where the layer's forms are; null when it has no index, or neither tar nor directory. Nothing is read but names. */
  async locate(diffId: DiffId): Promise<LayerLocation | null> {
    const file = (name: LayerFileName): string => this.#paths.layerFile(diffId, name);
    if (!exists(file("index"))) return null;
    const hasTar = exists(file("tar"));
    const directory = this.#directoryOf(diffId);
    if (!hasTar && directory === null) return null;
    return { diffId, indexFile: file("index"), tarFile: hasTar ? file("tar") : null, directory };
  }

  /** Whether `locate` would find it. */
  has(diffId: DiffId): boolean {
    const isThere = (name: LayerFileName): boolean => exists(this.#paths.layerFile(diffId, name));
    return isThere("index") && (isThere("dir") || isThere("tar"));
  }

  /** Whether the index has the bytes that were put there; looked at once a process. */
  async isIndexSound(diffId: DiffId): Promise<boolean> {
    if (this.#verified.has(diffId)) return true;
    const record = await this.#records.layer(diffId);
    if (record === null) return false;
    if ((await digestOfFile(this.#paths.layerFile(diffId, "index"))) !== record.indexDigest) return false;
    this.#verified.add(diffId);
    return true;
  }

  /** Takes over `<temporary>/tar`, and `<temporary>/index` if the layer has none. */
  async adoptTar(temporary: string, layer: PackedLayer): Promise<void> {
    await withStorageErrors(this.#paths.layer(layer.diffId), async () => {
      await moveInto(join(temporary, "tar"), this.#paths.layerFile(layer.diffId, "tar"));
      await this.#adoptIndexIfMissing(temporary, layer);
    });
  }

  /** Takes over the directory `<temporary>/dir`, and `<temporary>/index` if the layer has none. */
  async adoptDirectory(temporary: string, layer: PackedLayer): Promise<void> {
    await withStorageErrors(this.#paths.layer(layer.diffId), async () => {
      await this.#publishDirectory(join(temporary, "dir"), layer.diffId);
      await this.#adoptIndexIfMissing(temporary, layer);
    });
  }

  /**
   * Whether the directory form may have lost content: it was made before this machine was last started, and nothing
   * made sure that its files had reached the disk.
   */
  async isDoubtful(diffId: DiffId): Promise<boolean> {
    const bootId = await readSmallFile(this.#paths.layerFile(diffId, "boot-id"));
    return bootId !== null && bootId.toString("latin1") !== this.#currentBootId();
  }

  /** Notes that the directory form was verified after it had been read back from disk. */
  async trustDirectory(diffId: DiffId): Promise<void> {
    await removeFile(this.#paths.layerFile(diffId, "boot-id"));
  }

  /** Sets index, tar and directory aside; returns the directory they are in now. The layer's blobs stay known. */
  async quarantine(diffId: DiffId): Promise<string> {
    this.#verified.delete(diffId);
    const target = this.#paths.quarantine(`layer-${hexOf(diffId)}-${randomBytes(4).toString("hex")}`);
    await withStorageErrors(target, async () => {
      await mkdir(target, { recursive: true, mode: 0o700 });
      for (const name of ["index", "tar", "dir"] as const)
        await rename(this.#paths.layerFile(diffId, name), join(target, name)).catch(ignoreMissing);
    });
    return target;
  }

  async #adoptIndexIfMissing(temporary: string, { diffId, sizeBytes }: PackedLayer): Promise<void> {
    if (exists(this.#paths.layerFile(diffId, "index"))) return;
    const indexDigest = await digestOfFile(join(temporary, "index"));
    await this.#records.saveLayer(diffId, { sizeBytes, indexDigest });
    await moveInto(join(temporary, "index"), this.#paths.layerFile(diffId, "index"));
    this.#verified.add(diffId);
  }

  async #publishDirectory(made: string, diffId: DiffId): Promise<void> {
    const path = this.#paths.layerFile(diffId, "boot-id");
    await replaceFile(path, this.#currentBootId(), this.#paths.temporary, "eventual");
    const id = await this.#moveToShortName(made);
    const draft = join(this.#paths.temporary, `link-${id}`);
    symlinkSync(`../../dirs/${id}`, draft);
    renameSync(draft, this.#paths.layerFile(diffId, "dir"));
  }

  #currentBootId(): string {
    this.#bootId ??= readBootId();
    return this.#bootId;
  }

  /** Names are short because the options of an overlay mount must fit a page. */
  async #moveToShortName(made: string): Promise<string> {
    for (;;) {
      const id = randomBytes(5).toString("hex");
      // rename(2) replaces an empty directory: two layers must not share one.
      if (exists(this.#paths.directory(id))) continue;
      try {
        await moveInto(made, this.#paths.directory(id));
        return id;
      } catch (error) {
        if (systemErrorCode(error) !== "ENOTEMPTY" && systemErrorCode(error) !== "EEXIST") throw error;
      }
    }
  }

  #directoryOf(diffId: DiffId): string | null {
    const link = this.#paths.layerFile(diffId, "dir");
    try {
      const id = /^\.\.\/\.\.\/dirs\/([0-9a-f]{10})$/.exec(readlinkSync(link))?.[1];
      if (id === undefined) return null;
      const path = this.#paths.directory(id);
      return exists(path) ? path : null;
    } catch (error) {
      if (isMissing(error) || systemErrorCode(error) === "EINVAL") return null;
      throw new BuildError("STORE_UNWRITABLE", `store file "${link}": cannot be read`, { cause: error });
    }
  }
}

/** Answered by this thread: to ask another one takes longer than the answer. */
function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** Up to this size a file is read by this thread, and without a buffer that is larger than the file. */
const smallFileBytes = 1 << 18;

async function digestOfFile(path: string): Promise<Digest> {
  const hash = createHash("sha256");
  if (statSync(path).size <= smallFileBytes) hash.update(readFileSync(path));
  else for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return digestFromHex(hash.digest("hex"));
}

/** Changes with every start of the machine; constant where the system does not tell. */
function readBootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
  } catch {
    return "unknown";
  }
}
