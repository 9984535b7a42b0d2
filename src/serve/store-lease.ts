import type { Store } from "../store/open-store.ts";
import type { ServedImages } from "./served-images.ts";

/** A store that is open, and its images as repositories. */
export interface OpenedStore {
  readonly store: Store;
  readonly images: ServedImages;
}

/**
 * Keeps a store open only while something uses it, so that a prune in another process finds a moment between requests.
 * What was read from one opening must not be used with the next one.
 */
export class StoreLease {
  readonly #open: () => Promise<OpenedStore>;
  readonly #idleMs: number;
  #opened: Promise<OpenedStore> | null = null;
  #closing: Promise<void> = Promise.resolve();
  #users = 0;
  #timer: NodeJS.Timeout | null = null;

  /** The store is closed when nobody has used it for `idleMs`. */
  constructor(open: () => Promise<OpenedStore>, idleMs: number) {
    this.#open = open;
    this.#idleMs = idleMs;
  }

  /** The store; it stays open until `release` was called as often as this. */
  async acquire(): Promise<OpenedStore> {
    this.#users += 1;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#opened ??= this.#closing.then(this.#open);
    try {
      return await this.#opened;
    } catch (error) {
      this.#opened = null;
      this.#users -= 1;
      throw error;
    }
  }

  release(): void {
    this.#users -= 1;
    if (this.#users > 0) return;
    this.#timer = setTimeout(() => void this.close(), this.#idleMs);
    this.#timer.unref();
  }

  async use<T>(work: (opened: OpenedStore) => Promise<T>): Promise<T> {
    const opened = await this.acquire();
    try {
      return await work(opened);
    } finally {
      this.release();
    }
  }

  /** Closes the store when nobody uses it; otherwise whoever releases it last has it closed. */
  async close(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#users > 0 || this.#opened === null) return this.#closing;
    const opened = this.#opened;
    this.#opened = null;
    this.#closing = opened.then(({ store }) => store.close()).catch(() => {});
    return this.#closing;
  }
}
