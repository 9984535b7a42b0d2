import { type FileHandle, open } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { BuildError } from "../base/errors.ts";
import { type LockMode, tryLock } from "../sys/lock.ts";
import { withStorageErrors } from "./storage-error.ts";

/** A lock on a whole store; the kernel drops it with the process. */
export interface StoreLock {
  /** Changes the mode; false when others are in the way, and then the lock is held in the mode it had. */
  change(mode: LockMode): Promise<boolean>;
  release(): Promise<void>;
}

const pollMs = 10;
/** Exclusive locks are held for renames only, so this is long. */
const patienceMs = 60_000;

/** Takes the lock file `path` shared: the store is in use. Throws STORE_LOCKED when somebody is removing from it for a minute. */
export async function lockShared(path: string): Promise<StoreLock> {
  const file = await withStorageErrors(path, () => open(path, "a", 0o600));
  try {
    await waitForLock(file, path);
  } catch (error) {
    await file.close();
    throw error;
  }
  return {
    async change(mode) {
      if (tryLock(file.fd, mode)) return true;
      // A change that fails may lose the lock that was held (flock(2)).
      await waitForLock(file, path);
      return false;
    },
    release: () => file.close(),
  };
}

async function waitForLock(file: FileHandle, path: string): Promise<void> {
  for (const giveUpAtMs = performance.now() + patienceMs; !tryLock(file.fd, "shared"); await sleep(pollMs)) {
    if (performance.now() > giveUpAtMs)
      throw new BuildError("STORE_LOCKED", `store lock "${path}": held by a process that removes from the store`, {
        hint: 'wait for a running "tsbuild prune" to end',
      });
  }
}
