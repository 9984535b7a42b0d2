import { describe, expect, test } from "vitest";
import { type CacheKey, digestOf } from "../../../src/base/digest.ts";
import { BuildError, isBuildError } from "../../../src/base/errors.ts";
import type { Op, ResultCache } from "../../../src/solve/op.ts";
import { type SolveObserver, solve } from "../../../src/solve/solve.ts";

const keyOf = (text: string): CacheKey => digestOf(text) as string as CacheKey;

/** A cache of numbers that forgets nothing. */
class NumberCache implements ResultCache<number> {
  readonly results = new Map<CacheKey, number>();
  readonly aliases = new Map<CacheKey, CacheKey>();
  readonly lookedUp: CacheKey[] = [];
  readonly used = new Set<CacheKey>();
  async lookup(key: CacheKey): Promise<number | null> {
    this.lookedUp.push(key);
    return this.results.get(key) ?? null;
  }
  async save(key: CacheKey, result: number): Promise<void> {
    this.results.set(key, result);
  }
  noteUse(key: CacheKey): void {
    this.used.add(key);
  }
  async lookupAlias(key: CacheKey): Promise<CacheKey | null> {
    return this.aliases.get(key) ?? null;
  }
  async saveAlias(key: CacheKey, target: CacheKey): Promise<void> {
    this.aliases.set(key, target);
  }
}

interface SumOptions {
  readonly definition?: string;
  readonly value?: number;
  readonly on?: readonly string[];
  readonly reads?: readonly string[];
  readonly ignoreCache?: boolean;
  readonly work?: (signal: AbortSignal) => Promise<void>;
}

class Counters {
  readonly runs: string[] = [];
  readonly events: string[] = [];
  readonly observer: SolveObserver = {
    started: (id) => this.events.push(`started ${id}`),
    cached: (id) => this.events.push(`cached ${id}`),
    completed: (id) => this.events.push(`completed ${id}`),
    failed: (id, error) => this.events.push(`failed ${id} ${isBuildError(error) ? error.code : String(error)}`),
  };

  /** An op whose result is its value plus its inputs' results. */
  sum(id: string, options: SumOptions = {}): Op<number> {
    const { definition = id, value = 1, on = [], reads = [], ignoreCache = false, work } = options;
    return {
      id,
      definitionInputs: on,
      contentInputs: reads,
      ignoreCache,
      definitionKey: async (inputs) =>
        keyOf(`${definition}=${value}(${[...on, ...reads].map((input) => inputs.get(input))})`),
      contentKey: async (inputs, contents) =>
        keyOf(
          `${definition}=${value}(${on.map((input) => inputs.get(input))})[${reads.map((input) => contents.get(input))}]`,
        ),
      run: async (inputs, signal) => {
        this.runs.push(id);
        await work?.(signal);
        return [...on, ...reads].reduce((sum, input) => sum + (inputs.get(input) ?? Number.NaN), value);
      },
    };
  }

  solve(
    ops: readonly Op<number>[],
    targets: readonly string[],
    cache: ResultCache<number>,
    parallelism = 4,
    signal?: AbortSignal,
  ) {
    return solve(ops, targets, cache, { parallelism }, this.observer, signal ?? new AbortController().signal);
  }
}

const untilAborted = (signal: AbortSignal): Promise<void> =>
  new Promise((_, reject) => {
    const cancel = (): void => reject(new BuildError("BUILD_CANCELLED", "cancelled"));
    if (signal.aborted) cancel();
    else signal.addEventListener("abort", cancel, { once: true });
  });

describe("results that are in the cache", () => {
  test("are looked up from the target down, as far as nothing is found, and all count as used", async () => {
    const cache = new NumberCache();
    const counters = new Counters();
    const ops = (last: number): readonly Op<number>[] => [
      counters.sum("base"),
      counters.sum("read"),
      counters.sum("middle", { on: ["base"], reads: ["read"] }),
      counters.sum("top", { on: ["middle"], value: last }),
    ];
    await counters.solve(ops(1), ["top"], cache);
    const lookups = async (last: number): Promise<number> => {
      cache.lookedUp.length = 0;
      await counters.solve(ops(last), ["top"], cache);
      return cache.lookedUp.length;
    };
    expect(await lookups(1)).toBe(1);
    expect([...cache.used].sort()).toEqual([...cache.results.keys()].sort());
    expect(await lookups(2)).toBe(3); // top and middle; and read, as something is missing
    expect(counters.runs).toEqual([...counters.runs.slice(0, 4), "top"]);
  });
});

describe("solve", () => {
  test("runs inputs before what stands on them, and nothing that is not asked for", async () => {
    const c = new Counters();
    const ops = [c.sum("a"), c.sum("b", { on: ["a"] }), c.sum("c", { on: ["a", "b"] }), c.sum("unused")];
    expect(await c.solve(ops, ["c"], new NumberCache())).toEqual(new Map([["c", 4]]));
    expect(c.runs).toEqual(["a", "b", "c"]);
  });

  test("runs nothing the second time and reports every step as cached, inputs first", async () => {
    const cache = new NumberCache();
    const first = new Counters();
    await first.solve([first.sum("a"), first.sum("b", { on: ["a"] })], ["b"], cache);
    const second = new Counters();
    expect(await second.solve([second.sum("a"), second.sum("b", { on: ["a"] })], ["b"], cache)).toEqual(
      new Map([["b", 2]]),
    );
    expect(second.runs).toEqual([]);
    expect(second.events).toEqual(["cached a", "cached b"]);
  });

  test("runs ops of equal key once and reports the others as cached", async () => {
    const c = new Counters();
    const ops = [
      c.sum("a", { definition: "same" }),
      c.sum("b", { definition: "same" }),
      c.sum("c", { on: ["a", "b"] }),
    ];
    expect((await c.solve(ops, ["c"], new NumberCache())).get("c")).toBe(3);
    expect(c.runs).toEqual(["a", "c"]);
    expect(c.events).toContain("cached b");
  });

  test("a changed input that reads the same leaves what reads it cached", async () => {
    const cache = new NumberCache();
    const first = new Counters();
    await first.solve([first.sum("stage", { value: 5 }), first.sum("copy", { reads: ["stage"] })], ["copy"], cache);
    const second = new Counters();
    const changed = second.sum("stage", { definition: "stage, written otherwise", value: 5 });
    expect(await second.solve([changed, second.sum("copy", { reads: ["stage"] })], ["copy"], cache)).toEqual(
      new Map([["copy", 6]]),
    );
    expect(second.runs).toEqual(["stage"]);
    const third = new Counters();
    const again = third.sum("stage", { definition: "stage, written otherwise", value: 5 });
    await third.solve([again, third.sum("copy", { reads: ["stage"] })], ["copy"], cache);
    expect(third.runs).toEqual([]);
  });

  test("a changed input that reads otherwise is read again", async () => {
    const cache = new NumberCache();
    const first = new Counters();
    await first.solve([first.sum("stage", { value: 5 }), first.sum("copy", { reads: ["stage"] })], ["copy"], cache);
    const second = new Counters();
    const ops = [second.sum("stage", { value: 6 }), second.sum("copy", { reads: ["stage"] })];
    expect((await second.solve(ops, ["copy"], cache)).get("copy")).toBe(7);
    expect(second.runs).toEqual(["stage", "copy"]);
  });

  test("an op that ignores the cache runs again, and so does what stands on it, but not what reads equal content", async () => {
    const cache = new NumberCache();
    const graph = (c: Counters, ignoreCache: boolean) => [
      c.sum("stage", { ignoreCache }),
      c.sum("child", { on: ["stage"] }),
      c.sum("copy", { reads: ["stage"] }),
      c.sum("end", { on: ["child", "copy"] }),
    ];
    const first = new Counters();
    await first.solve(graph(first, false), ["end"], cache);
    const second = new Counters();
    await second.solve(graph(second, true), ["end"], cache);
    expect(second.runs.sort()).toEqual(["child", "end", "stage"]);
    const third = new Counters();
    await third.solve(graph(third, false), ["end"], cache);
    expect(third.runs).toEqual([]);
  });

  test("the first failure cancels what runs, is reported once, and finished work stays cached", async () => {
    const cache = new NumberCache();
    const c = new Counters();
    const failure = new BuildError("RUN_FAILED", "exit code 7");
    const done = deferred();
    const ops = [
      c.sum("good"),
      c.sum("bad", {
        on: ["good"],
        work: async () => {
          await done.promise;
          throw failure;
        },
      }),
      c.sum("slow", {
        work: (signal) => {
          done.resolve();
          return untilAborted(signal);
        },
      }),
      c.sum("end", { on: ["bad", "slow"] }),
    ];
    await expect(c.solve(ops, ["end"], cache)).rejects.toBe(failure);
    expect(c.events.filter((event) => event.startsWith("failed")).sort()).toEqual([
      "failed bad RUN_FAILED",
      "failed slow BUILD_CANCELLED",
    ]);
    expect([...cache.results.values()]).toEqual([1]);
    expect(c.runs).not.toContain("end");
  });

  test("never runs more ops at once than the limit says", async () => {
    const c = new Counters();
    let running = 0;
    let most = 0;
    const work = async (): Promise<void> => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
    };
    const ids = Array.from({ length: 20 }, (_, i) => `op${i}`);
    await c.solve(
      ids.map((id) => c.sum(id, { work })),
      ids,
      new NumberCache(),
      3,
    );
    expect(most).toBe(3);
  });

  test("an abort from outside rejects with BUILD_CANCELLED after everything has ended", async () => {
    const c = new Counters();
    const abort = new AbortController();
    let ended = false;
    const work = async (signal: AbortSignal): Promise<void> => {
      abort.abort();
      await untilAborted(signal).finally(() => {
        ended = true;
      });
    };
    await expect(c.solve([c.sum("a", { work })], ["a"], new NumberCache(), 4, abort.signal)).rejects.toMatchObject({
      code: "BUILD_CANCELLED",
    });
    expect(ended).toBe(true);
  });

  test("an op the machine cannot run fails before its inputs are made, and not at all when it is cached", async () => {
    const c = new Counters();
    const refuse = (): never => {
      throw new BuildError("RUNTIME_UNAVAILABLE", "not here");
    };
    const cache = new NumberCache();
    const input = c.sum("input");
    const foreign = { ...c.sum("foreign", { on: ["input"] }), checkMachine: refuse };
    await expect(c.solve([input, foreign], ["foreign"], cache)).rejects.toMatchObject({ code: "RUNTIME_UNAVAILABLE" });
    expect(c.events).toEqual(["failed foreign RUNTIME_UNAVAILABLE"]);

    await c.solve([input, c.sum("foreign", { on: ["input"] })], ["foreign"], cache);
    expect((await c.solve([input, foreign], ["foreign"], cache)).get("foreign")).toBe(2);
  });

  test("stages that are copied from one after the other run side by side", async () => {
    const c = new Counters();
    const bothRun = deferred();
    let running = 0;
    const work = async (): Promise<void> => {
      running += 1;
      if (running === 2) bothRun.resolve();
      await bothRun.promise;
    };
    const ops = [
      c.sum("stage-1", { work }),
      c.sum("stage-2", { work }),
      c.sum("copy-1", { reads: ["stage-1"] }),
      c.sum("copy-2", { on: ["copy-1"], reads: ["stage-2"] }),
    ];
    expect((await c.solve(ops, ["copy-2"], new NumberCache())).get("copy-2")).toBe(4);
  });

  describe("an op that runs ahead", () => {
    /** A sum whose work is done before its key is known. */
    const ahead = (c: Counters, id: string, on: readonly string[]): Op<number> => ({
      ...c.sum(id, { on }),
      shouldRunAhead: async () => true,
      runAhead: async (inputs) => {
        c.events.push(`ahead ${id} of ${[...inputs.keys()]}`);
      },
    });

    test("gets the results of its inputs, and starts once", async () => {
      const c = new Counters();
      expect((await c.solve([c.sum("a"), ahead(c, "b", ["a"])], ["b"], new NumberCache())).get("b")).toBe(2);
      expect(c.events).toEqual(["started a", "completed a", "started b", "ahead b of a", "completed b"]);
    });

    test("does not run when a result is found after all", async () => {
      const cache = new NumberCache();
      const first = new Counters();
      await first.solve([first.sum("a"), first.sum("b", { on: ["a"] })], ["b"], cache);
      const second = new Counters();
      const results = await second.solve([second.sum("a"), ahead(second, "b", ["a"])], ["b"], cache);
      expect(results.get("b")).toBe(2);
      expect(second.runs).toEqual([]);
      expect(second.events).toEqual(["cached a", "started b", "ahead b of a", "completed b"]);
    });

    test("is told when results may not be used", async () => {
      const c = new Counters();
      const told: boolean[] = [];
      const shouldRunAhead = async (isForced: boolean): Promise<boolean> => {
        told.push(isForced);
        return false;
      };
      const ops = [c.sum("a", { ignoreCache: true }), { ...c.sum("b", { on: ["a"] }), shouldRunAhead }];
      await c.solve([...ops, { ...c.sum("c"), shouldRunAhead }], ["b", "c"], new NumberCache());
      expect(told.sort()).toEqual([false, true]);
    });
  });

  test("a chain of 5,000 ops and a fan of 1,000 are solved without running out of stack", async () => {
    const c = new Counters();
    const chain = Array.from({ length: 5000 }, (_, i) => c.sum(`c${i}`, { on: i === 0 ? [] : [`c${i - 1}`] }));
    const fan = Array.from({ length: 1000 }, (_, i) => c.sum(`f${i}`, { reads: ["c4999"] }));
    const end = c.sum("end", { on: fan.map((op) => op.id) });
    const cache = new NumberCache();
    expect((await c.solve([...chain, ...fan, end], ["end"], cache)).get("end")).toBe(5001 * 1000 + 1);
    expect((await c.solve([...chain, ...fan, end], ["end"], cache)).get("end")).toBe(5001 * 1000 + 1);
  });
});

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((fulfil) => {
    resolve = fulfil;
  });
  return { promise, resolve };
}
