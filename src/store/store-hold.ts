import { join } from "node:path";
import { BuildError } from "../base/errors.ts";
import { lockShared, type StoreLock } from "./store-lock.ts";
import { sweepTemporaryDirectories, type TemporaryDirectory } from "./temporary-directory.ts";

/**
 * Keeps others from removing anything from a store, from when that is first needed. Until then a process only reads,
 * and what it has found may go: so it is looked for again when the hold is taken.
 */
export interface StoreHold {
  /**
   * Resolves as soon as nobody removes anything any more. Throws StoreChanged when something that was found before is
   * gone, STORE_UNWRITABLE, STORE_NO_SPACE, STORE_LOCKED.
   */
  take(): Promise<void>;
  /** Whether nobody removes anything, though it may not be known yet whether what was found before is still there. */
  readonly isLocked: boolean;
  /** Adds to what is looked for again. */
  recheck(isThere: () => Promise<boolean>): void;
}

/** For a store nothing is removed from. */
export const alwaysHeld: StoreHold = { take: async () => {}, isLocked: true, recheck() {} };

/** Something that was found before the store was held is gone: what was concluded from it must be found out again. */
export class StoreChanged extends Error {}

/** Holds a store with its lock, and marks the directory for this process' unfinished work as in use. */
export class LockedStoreHold implements StoreHold {
  readonly #root: string;
  readonly #temporary: TemporaryDirectory;
  readonly #rechecks: (() => Promise<boolean>)[] = [];
  #lock: StoreLock | null = null;
  #sweep: Promise<void> = Promise.resolve();
  #taking: Promise<void> | null = null;

  constructor(root: string, temporary: TemporaryDirectory) {
    this.#root = root;
    this.#temporary = temporary;
  }

  take(): Promise<void> {
    this.#taking ??= this.#take();
    return this.#taking;
  }

  get isLocked(): boolean {
    return this.#lock !== null;
  }

  recheck(isThere: () => Promise<boolean>): void {
    this.#rechecks.push(isThere);
  }

  /** The lock of a store that is held. */
  get lock(): StoreLock {
    if (this.#lock === null) throw new BuildError("INTERNAL", `store "${this.#root}" is not held`);
    return this.#lock;
  }

  /** Removes what was left unfinished, and lets go. */
  async release(): Promise<void> {
    await this.#taking?.catch(() => {});
    if (this.#lock === null) return;
    await this.#sweep;
    await this.#temporary.remove();
    this.#lock.release();
    this.#lock = null;
  }

  async #take(): Promise<void> {
    const lock = await lockShared(join(this.#root, "lock"));
    try {
      await this.#temporary.make();
    } catch (error) {
      lock.release();
      throw error;
    }
    this.#lock = lock;
    this.#sweep = sweepTemporaryDirectories(join(this.#root, "tmp"));
    for (const isThere of this.#rechecks.splice(0)) {
      if (await isThere()) continue;
      this.#taking = Promise.resolve(); // for whoever begins again: nothing goes any more
      throw new StoreChanged();
    }
  }
}
