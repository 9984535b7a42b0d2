import { closeSync, openSync } from "node:fs";
import { chmod, chown, mkdir, rename, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { canonicalJson, type JsonValue } from "../../base/canonical-json.ts";
import { digestOf, hexOf } from "../../base/digest.ts";
import { BuildError } from "../../base/errors.ts";
import { removeTree } from "../../store/remove-tree.ts";
import { type LockMode, tryLock } from "../../sys/lock.ts";
import { fromNodeError, hasErrno } from "../../sys/system-error.ts";

/** A cache that a step wants. */
export interface CacheRequest {
  readonly id: string;
  readonly sharing: "shared" | "private" | "locked";
  /** Mode and owner of a new cache directory. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Names what a new cache begins with; caches that began differently are different ones. */
  readonly seed: JsonValue;
  /** Fills a new directory; null to leave it empty. */
  readonly fill: ((directory: string) => Promise<void>) | null;
}

/** A cache in use; nobody removes it, or uses it against the request's sharing, before it is released. */
export interface HeldCache {
  readonly directory: string;
  release(): void;
}

const firstWaitMs = 10;
const longestWaitMs = 250;

/**
 * The directories of `RUN --mount=type=cache`, below one directory: `<sha256 of id and seed>/<n>/content` beside a lock
 * file that is held while it is in use. The kernel releases locks with their process, so a killed build blocks nobody.
 * Number 0 is the cache; more exist only when `private` users met. A cache appears complete: it is filled elsewhere and
 * renamed. Whoever removes caches must know that no build is running.
 */
export class CacheMounts {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  /**
   * Takes all caches of a step. Equal ones are taken once, under the strictest sharing; all in one order, so that two
   * steps never wait for each other. Rejects with BUILD_CANCELLED when `signal` aborts while waiting.
   */
  async hold(requests: readonly CacheRequest[], signal: AbortSignal): Promise<readonly HeldCache[]> {
    const named = requests.map((request) => ({ request, name: nameOf(request) }));
    const held = new Map<string, HeldCache>();
    try {
      for (const name of [...new Set(named.map((each) => each.name))].sort()) {
        const equal = named.filter((each) => each.name === name).map((each) => each.request);
        const strictest =
          equal.find(({ sharing }) => sharing === "locked") ?? equal.find(({ sharing }) => sharing === "private");
        held.set(name, await this.#holdOne(name, (strictest ?? equal[0]) as CacheRequest, signal));
      }
    } catch (error) {
      for (const cache of held.values()) cache.release();
      if (signal.aborted) throw new BuildError("BUILD_CANCELLED", "the build was cancelled");
      throw fromNodeError(error);
    }
    return named.map(({ name }) => held.get(name) as HeldCache);
  }

  async #holdOne(name: string, request: CacheRequest, signal: AbortSignal): Promise<HeldCache> {
    const mode = request.sharing === "shared" ? "shared" : "exclusive";
    let waitMs = firstWaitMs;
    for (let number = 0; ; ) {
      signal.throwIfAborted();
      const place = join(this.#root, name, String(number));
      await mkdir(place, { recursive: true, mode: 0o700 });
      const held = await takePlace(place, mode, request);
      if (held !== null) return held;
      if (request.sharing === "private") {
        number += 1;
      } else {
        await delay(waitMs, undefined, { signal });
        waitMs = Math.min(waitMs * 2, longestWaitMs);
      }
    }
  }
}

const nameOf = ({ id, seed }: CacheRequest): string => hexOf(digestOf(canonicalJson({ id, seed })));

/** null when somebody else has the place. */
async function takePlace(place: string, mode: LockMode, request: CacheRequest): Promise<HeldCache | null> {
  const directory = join(place, "content");
  const fd = openSync(join(place, "lock"), "a", 0o600);
  let isHeld = false;
  try {
    if (!(await isComplete(directory))) {
      // making it needs the place alone; afterwards others may join
      if (!tryLock(fd, "exclusive")) return null;
      if (!(await isComplete(directory))) await make(directory, request);
    }
    isHeld = tryLock(fd, mode);
    return isHeld ? { directory, release: () => closeSync(fd) } : null;
  } finally {
    if (!isHeld) closeSync(fd);
  }
}

async function isComplete(directory: string): Promise<boolean> {
  try {
    return (await stat(directory)).isDirectory();
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return false;
    throw error;
  }
}

async function make(directory: string, { mode, uid, gid, fill }: CacheRequest): Promise<void> {
  const unfinished = `${directory}.new`;
  // left by a build that was killed
  await removeTree(unfinished, dirname(directory));
  await mkdir(unfinished, { mode: 0o700 });
  if (fill === null) {
    await chown(unfinished, uid, gid);
    await chmod(unfinished, mode);
  } else {
    await fill(unfinished);
  }
  await rename(unfinished, directory);
}
