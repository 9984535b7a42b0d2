import { setMaxListeners } from "node:events";
import type { CacheKey } from "../base/digest.ts";
import { BuildError } from "../base/errors.ts";
import { Semaphore } from "../base/semaphore.ts";
import type { Op, ResultCache } from "./op.ts";

/** Told what happens to each op, at most one of `cached` and `started` each; must not throw. */
export interface SolveObserver {
  started(id: string): void;
  /** The op's result was found, or nothing needed it because a later one was found. */
  cached(id: string): void;
  completed(id: string): void;
  /** The op was cancelled if `error` is BUILD_CANCELLED. */
  failed(id: string, error: unknown): void;
}

export interface SolveLimits {
  /** How many ops may run at the same time. */
  readonly parallelism: number;
}

/** What an op is known by. */
interface Identity {
  readonly key: CacheKey;
  /** The definition key that shall lead to `key` from now on; null when it does already or there is none. */
  readonly newAlias: CacheKey | null;
  /** Made anew although a result may be stored: the op or something it stands on ignores the cache. */
  readonly forced: boolean;
}

/**
 * Results of `targets`. Asks for keys from the targets down, looks up results from the targets down as far as nothing is
 * found, and runs what the cache does not have, as parallel as the graph
 * and the limits allow. Ops with equal keys run once. After the first failure everything else is cancelled; the promise
 * rejects with that failure when nothing runs any more. What was finished stays in the cache.
 */
export async function solve<R>(
  ops: readonly Op<R>[],
  targets: readonly string[],
  cache: ResultCache<R>,
  limits: SolveLimits,
  observer: SolveObserver,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, R>> {
  const solver = new Solver(ops, cache, limits, observer, signal);
  return solver.resultsOf(targets);
}

class Solver<R> {
  readonly #ops: ReadonlyMap<string, Op<R>>;
  readonly #cache: ResultCache<R>;
  readonly #observer: SolveObserver;
  readonly #places: Semaphore;
  readonly #abort = new AbortController();
  readonly #identities = new Map<string, Promise<Identity>>();
  readonly #hits = new Map<CacheKey, Promise<R | null>>();
  readonly #results = new Map<string, Promise<R>>();
  readonly #runs = new Map<CacheKey, Promise<R>>();
  readonly #reported = new Set<string>();
  readonly #started = new Set<string>();
  readonly #seenErrors = new Set<unknown>();
  /** Resolves as soon as something is not in the cache. */
  readonly #missed: Promise<void>;
  #noteMiss: () => void = () => {};
  readonly #starts: Promise<void>[] = [];
  #firstError: unknown = undefined;

  constructor(
    ops: readonly Op<R>[],
    cache: ResultCache<R>,
    limits: SolveLimits,
    observer: SolveObserver,
    signal: AbortSignal,
  ) {
    this.#ops = new Map(ops.map((op) => [op.id, op]));
    this.#cache = cache;
    this.#observer = observer;
    this.#places = new Semaphore(limits.parallelism);
    this.#missed = new Promise((resolve) => {
      this.#noteMiss = resolve;
    });
    setMaxListeners(0, this.#abort.signal); // every waiting op listens
    const cancel = (): void => this.#fail(new BuildError("BUILD_CANCELLED", "the build was cancelled"));
    if (signal.aborted) cancel();
    else signal.addEventListener("abort", cancel, { once: true });
  }

  async resultsOf(targets: readonly string[]): Promise<ReadonlyMap<string, R>> {
    const settled = await Promise.allSettled(targets.map((id) => this.#result(id)));
    // Also what no target waits for any more must have ended before the caller cleans up.
    await Promise.allSettled(this.#identities.values());
    await Promise.all(this.#starts);
    await Promise.allSettled(this.#results.values());
    if (this.#firstError !== undefined) throw this.#firstError;
    const results = new Map<string, R>();
    for (const [position, outcome] of settled.entries()) {
      if (outcome.status === "rejected") throw outcome.reason;
      results.set(targets[position] as string, outcome.value);
    }
    return results;
  }

  #op(id: string): Op<R> {
    const op = this.#ops.get(id);
    if (op === undefined) throw new BuildError("INTERNAL", `vertex ${id} is not part of the graph`);
    return op;
  }

  #result(id: string): Promise<R> {
    return memo(this.#results, id, () => this.#solveOp(this.#op(id)));
  }

  #identity(id: string): Promise<Identity> {
    return memo(this.#identities, id, () => this.#guard(this.#op(id), (op) => this.#identify(op)));
  }

  async #identify(op: Op<R>): Promise<Identity> {
    const [definitions, contents] = await Promise.all([
      this.#identitiesOf(op.definitionInputs),
      this.#contentIdentities(op.contentInputs),
    ]);
    this.#abort.signal.throwIfAborted();
    const forced = op.ignoreCache || some(definitions, (identity) => identity.forced);
    const keys = mapValues(definitions, (identity) => identity.key);
    if (await op.shouldRunAhead?.(forced, this.#abort.signal)) await this.#runAhead(op);
    const definitionKey = await op.definitionKey(
      new Map([...keys, ...mapValues(contents, (identity) => identity.key)]),
      this.#abort.signal,
    );
    if (op.contentInputs.length === 0) return { key: definitionKey, newAlias: null, forced };

    // A content input that is made anew may come out different under the same key: then only its content counts.
    const mayUseAlias = !some(contents, (identity) => identity.forced);
    const known = mayUseAlias ? await this.#cache.lookupAlias(definitionKey) : null;
    if (known !== null) return { key: known, newAlias: null, forced };
    this.#noteMiss();
    const key = await op.contentKey(keys, await this.#resultsById(op.contentInputs), this.#abort.signal);
    return { key, newAlias: definitionKey, forced };
  }

  async #runAhead(op: Op<R>): Promise<void> {
    const inputs = await this.#resultsById(op.definitionInputs);
    await this.#places.use(async () => {
      this.#start(op);
      await op.runAhead?.(inputs, this.#abort.signal);
    }, this.#abort.signal);
  }

  async #hit({ key, forced }: Identity): Promise<R | null> {
    const hit = forced ? null : await memo(this.#hits, key, () => this.#cache.lookup(key));
    if (hit === null) this.#noteMiss();
    return hit;
  }

  async #solveOp(op: Op<R>): Promise<R> {
    const identity = await this.#identity(op.id);
    const hit = await this.#guard(op, () => this.#hit(identity));
    if (hit !== null) {
      if (identity.newAlias !== null) await this.#cache.saveAlias(identity.newAlias, identity.key);
      if (this.#started.has(op.id)) this.#observer.completed(op.id);
      else this.#reportCached(op);
      return hit;
    }
    await this.#guard(op, async () => op.checkMachine?.());
    const inputs = await this.#resultsById([...op.definitionInputs, ...op.contentInputs]);
    const sharesRun = this.#runs.has(identity.key);
    const result = await memo(this.#runs, identity.key, () =>
      this.#guard(op, () => this.#places.use(() => this.#run(op, identity, inputs), this.#abort.signal)),
    );
    if (!sharesRun) return result;
    if (this.#started.has(op.id)) this.#observer.completed(op.id);
    else this.#reportCached(op);
    return result;
  }

  async #run(op: Op<R>, identity: Identity, inputs: ReadonlyMap<string, R>): Promise<R> {
    this.#start(op);
    const result = await op.run(inputs, this.#abort.signal);
    await this.#cache.save(identity.key, result, op);
    if (identity.newAlias !== null) await this.#cache.saveAlias(identity.newAlias, identity.key);
    this.#observer.completed(op.id);
    return result;
  }

  #start(op: Op<R>): void {
    if (this.#started.has(op.id)) return;
    this.#started.add(op.id);
    this.#reported.add(op.id);
    this.#observer.started(op.id);
  }

  /** Inputs first, so that a list of steps reads from top to bottom. */
  #reportCached(op: Op<R>): void {
    if (this.#reported.has(op.id)) return;
    this.#reported.add(op.id);
    for (const input of [...op.definitionInputs, ...op.contentInputs]) this.#reportCached(this.#op(input));
    void this.#identity(op.id).then(({ key }) => this.#cache.noteUse(key));
    this.#observer.cached(op.id);
  }

  async #guard<T>(op: Op<R>, work: (op: Op<R>) => Promise<T>): Promise<T> {
    try {
      this.#abort.signal.throwIfAborted();
      return await work(op);
    } catch (error) {
      // A failure travels up through every op that waits for it: it belongs to the one where it happened.
      const isFirstSeenHere = error !== this.#abort.signal.reason && !this.#seenErrors.has(error);
      this.#seenErrors.add(error);
      if (isFirstSeenHere) this.#observer.failed(op.id, error);
      this.#fail(error);
      throw error;
    }
  }

  #fail(error: unknown): void {
    if (this.#firstError !== undefined) return;
    this.#firstError = error;
    this.#abort.abort(error);
  }

  /**
   * Identities of what is read by content. As soon as anything is missing, what is not found of these is started, since
   * its content will most likely be asked for: otherwise stages that are copied from one after the other would also run
   * one after the other.
   */
  async #contentIdentities(ids: readonly string[]): Promise<ReadonlyMap<string, Identity>> {
    return byId(ids, async (id) => {
      const identity = await this.#identity(id);
      void this.#missed.then(() => this.#starts.push(this.#startUnlessFound(id, identity)));
      return identity;
    });
  }

  async #startUnlessFound(id: string, identity: Identity): Promise<void> {
    try {
      if ((await this.#hit(identity)) === null) void this.#result(id);
    } catch {
      // Told to whoever needs it.
    }
  }

  async #identitiesOf(ids: readonly string[]): Promise<ReadonlyMap<string, Identity>> {
    return byId(ids, (id) => this.#identity(id));
  }

  async #resultsById(ids: readonly string[]): Promise<ReadonlyMap<string, R>> {
    return byId(ids, (id) => this.#result(id));
  }
}

/** The promise stored for `key`, begun by `start` when there is none. */
function memo<K, V>(promises: Map<K, Promise<V>>, key: K, start: () => Promise<V>): Promise<V> {
  const known = promises.get(key);
  if (known !== undefined) return known;
  const promise = Promise.resolve().then(start); // a new stack: chains of thousands of ops are asked from their end
  promise.catch(() => {}); // whoever waits for it gets the rejection; nobody else must
  promises.set(key, promise);
  return promise;
}

async function byId<V>(ids: readonly string[], get: (id: string) => Promise<V>): Promise<ReadonlyMap<string, V>> {
  const unique = [...new Set(ids)];
  const values = await Promise.all(unique.map(get));
  return new Map(unique.map((id, position) => [id, values[position] as V]));
}

function mapValues<K, V, W>(map: ReadonlyMap<K, V>, change: (value: V) => W): Map<K, W> {
  return new Map([...map].map(([key, value]) => [key, change(value)]));
}

function some<V>(map: ReadonlyMap<string, V>, test: (value: V) => boolean): boolean {
  return [...map.values()].some(test);
}
