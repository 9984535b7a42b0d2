import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { Piscina } from "piscina";
import { BuildError, fromWire } from "../base/errors.ts";
import { packageRoot } from "../base/package-root.ts";
import type { Task, TaskRunner } from "../base/task.ts";
import type { TaskOutcome, TaskRequest } from "./task-worker.ts";

/** Runs tasks in worker threads; the threads start with the first task and end when idle. */
export class WorkerPool implements TaskRunner {
  readonly #threads: number;
  #pool: Promise<Piscina> | null = null;

  constructor(threads: number = availableParallelism()) {
    this.#threads = threads;
  }

  /**
   * An abort only ends the waiting: piscina would kill the thread in the middle of a system call, and every task is
   * finite and writes to a temporary directory of its own.
   */
  async run<In, Out>(task: Task<In, Out>, input: In, signal?: AbortSignal): Promise<Out> {
    signal?.throwIfAborted();
    this.#pool ??= startPool(this.#threads);
    const pool = await this.#pool;
    const request: TaskRequest = { task: task.name, input };
    const outcome = (await raceAbort(pool.run(request), signal)) as TaskOutcome;
    if (!outcome.ok) throw fromWire(outcome.error);
    return outcome.value as Out;
  }

  /** Ends the threads; tasks still running are given up. */
  async close(): Promise<void> {
    const pool = this.#pool;
    this.#pool = null;
    if (pool !== null) await (await pool).destroy();
  }
}

async function startPool(threads: number): Promise<Piscina> {
  const { Piscina } = await import("piscina");
  return new Piscina({
    filename: join(packageRoot(), "dist", "task-worker.cjs"),
    minThreads: 0,
    maxThreads: threads,
    idleTimeout: 1000,
    recordTiming: false,
  });
}

function raceAbort<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const cancel = (): void => reject(new BuildError("BUILD_CANCELLED", "the build was cancelled"));
    signal.addEventListener("abort", cancel, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", cancel));
  });
}
