import type { CacheKey } from "../base/digest.ts";

/**
 * One vertex of a solve. Generic over the result R, so that tests solve with numbers.
 *
 * Inputs come in two sorts. `definition` inputs enter the key by their own key: the parent of a RUN. `content` inputs
 * enter it by a digest of what is read from them: the source of `COPY --from`. A content input is only solved when the
 * vertex is not found under its definition key.
 */
export interface Op<R> {
  readonly id: string;
  /** Ids of vertices that must be solved before `run`; their keys are part of every key of this op. */
  readonly definitionInputs: readonly string[];
  /** Ids of vertices read by content. */
  readonly contentInputs: readonly string[];
  /** Never look this op up; nor what stands on it by definition. */
  readonly ignoreCache: boolean;
  /**
   * The key that follows from definitions alone. For an op without content inputs this is its key. May read the build
   * context. Called at most once per solve.
   */
  definitionKey(inputs: ReadonlyMap<string, CacheKey>, signal: AbortSignal): Promise<CacheKey>;
  /** Only for ops with content inputs: the key by the content of what is read from `contents`. */
  contentKey(
    inputs: ReadonlyMap<string, CacheKey>,
    contents: ReadonlyMap<string, R>,
    signal: AbortSignal,
  ): Promise<CacheKey>;
  /**
   * Throws when this machine cannot run the op. Asked as soon as the op is known to have to run, before its inputs are
   * made: a build that must fail fails early, and one whose op is cached does not.
   */
  readonly checkMachine?: () => void;
  /**
   * Only for ops without content inputs whose work finds out the key on the way: whether it is better done first, because
   * nothing will be found. Then the inputs are solved and `runAhead` is called before `definitionKey`. `isForced`: what
   * is found would not be used.
   */
  shouldRunAhead?(isForced: boolean, signal: AbortSignal): Promise<boolean>;
  /** Does the work for `run`, which is called later unless a result is found after all. */
  runAhead?(inputs: ReadonlyMap<string, R>, signal: AbortSignal): Promise<void>;
  /** Does the work. `inputs` holds the results of definition and content inputs. */
  run(inputs: ReadonlyMap<string, R>, signal: AbortSignal): Promise<R>;
}

/** Where results are found again. A broken record is a miss, never an error. */
export interface ResultCache<R> {
  lookup(key: CacheKey): Promise<R | null>;
  save(key: CacheKey, result: R, op: Op<R>): Promise<void>;
  /** Told that the result of a key was of use, though it may not have been looked up; must not throw. */
  noteUse(key: CacheKey): void;
  /** The content key stored for a definition key. */
  lookupAlias(key: CacheKey): Promise<CacheKey | null>;
  saveAlias(key: CacheKey, target: CacheKey): Promise<void>;
}
