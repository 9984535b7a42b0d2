import { type CacheKey, type DiffId, type Digest, hexOf } from "../base/digest.ts";
import { alwaysHeld, type StoreHold } from "./store-hold.ts";

/** The files of `layers/<hex>/` (docs/store.md). */
export type LayerFileName =
  | "index"
  | "tar"
  | "dir"
  | "layer.json"
  | "blobs.json"
  | "blocks.json"
  | "remote.json"
  | "boot-id";

/** Where things lie below the root of a store (docs/store.md). Put together by hand: a build asks for some for every step. */
export class StorePaths {
  readonly root: string;
  /** Directory of this process below `tmp/`, there as soon as the store is held; removed when the process is gone. */
  readonly temporary: string;
  readonly #hold: StoreHold;

  constructor(root: string, temporary: string, hold: StoreHold = alwaysHeld) {
    this.root = root;
    this.temporary = temporary;
    this.#hold = hold;
  }

  /** Resolves as soon as the store is held: before that, nothing is written to it. Rejects as `StoreHold.take`. */
  hold(): Promise<void> {
    return this.#hold.take();
  }

  /** Whether the store is held, or only what was read before is still to be looked for again. */
  get isLocked(): boolean {
    return this.#hold.isLocked;
  }

  /** Says how to see whether what was read before the store was held is still there. */
  recheckWhenHeld(isThere: () => Promise<boolean>): void {
    this.#hold.recheck(isThere);
  }

  blob(digest: Digest): string {
    return `${this.root}/blobs/sha256/${hexOf(digest)}`;
  }

  layer(diffId: DiffId): string {
    return `${this.root}/layers/${hexOf(diffId)}`;
  }

  /** A file of a layer: `index`, `tar`, `dir`, `layer.json`, … */
  layerFile(diffId: DiffId, name: LayerFileName): string {
    return `${this.layer(diffId)}/${name}`;
  }

  directory(id: string): string {
    return `${this.root}/dirs/${id}`;
  }

  cacheRecord(key: CacheKey): string {
    return `${this.root}/cache/${hexOf(key)}`;
  }

  cacheAlias(key: CacheKey): string {
    return `${this.root}/cache/${hexOf(key)}.alias`;
  }

  /** `name` is one that `fileNameOf` made. */
  image(name: string): string {
    return `${this.root}/images/${name}`;
  }

  pin(name: string): string {
    return `${this.root}/pins/${name}`;
  }

  /** `repository` and `name` are ones that `fileNameOf` made. */
  repositoryFile(repository: string, kind: "blobs" | "manifests" | "tags", name: string): string {
    return `${this.root}/repositories/${repository}/${kind}/${name}`;
  }

  /** `id` "" is the directory of all. */
  container(id: string): string {
    return `${this.root}/containers/${id}`;
  }

  quarantine(name: string): string {
    return `${this.root}/quarantine/${name}`;
  }
}
