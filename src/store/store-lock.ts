import { closeSync, openSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { BuildError } from "../base/errors.ts";
import { tryLock, unlock } from "../sys/lock.ts";
import { withStorageErrors } from "./storage-error.ts";

/** A lock on a whole store; the kernel drops it with the process. */
export interface StoreLock {
  /** Makes the lock exclusive; false when others have the store open, and then no lock is held, so that two may wait for each other. */
  tryExclusive(): boolean;
  /** Makes the lock shared again. Throws STORE_LOCKED as `lockShared` does. */
  share(): Promise<void>;
  release(): void;
}

const pollMs = 10;
/** Exclusive locks are held for renames only, so this is long. */
const patienceMs = 60_000;

/** Takes the lock file `path` shared: the store is in use. Throws STORE_LOCKED when somebody is removing from it for a minute. */
export async function lockShared(path: string): Promise<StoreLock> {
  // Not a FileHandle: the garbage collector would close one that nobody holds any more, and so end the lock.
  const fd = await withStorageErrors(path, async () => openSync(path, "a", 0o600));
  try {
    await waitForLock(fd, path);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return {
    tryExclusive() {
      if (tryLock(fd, "exclusive")) return true;
      unlock(fd);
      return false;
    },
    share: () => waitForLock(fd, path),
    release: () => closeSync(fd),
  };
}

async function waitForLock(fd: number, path: string): Promise<void> {
  for (const giveUpAtMs = performance.now() + patienceMs; !tryLock(fd, "shared"); await sleep(pollMs)) {
    if (performance.now() > giveUpAtMs)
      throw new BuildError("STORE_LOCKED", `store lock "${path}": held by a process that removes from the store`, {
        hint: 'wait for a running "tsbuild prune" to end',
      });
  }
}
