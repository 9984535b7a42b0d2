import { BuildError } from "../base/errors.ts";

interface Flight {
  readonly result: Promise<unknown>;
  readonly controller: AbortController;
  waiting: number;
}

/**
 * Lets callers that ask for the same thing at the same time share one piece of work. The work is cancelled only when
 * all of them have given up.
 */
export class SingleFlight {
  readonly #flights = new Map<string, Flight>();

  /**
   * Result of `work`, or of the work already going on for `key`. All calls with one key must want the same type.
   * Rejects with BUILD_CANCELLED as soon as `signal` aborts.
   */
  async run<T>(key: string, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (signal.aborted) throw cancelled();
    const flight = this.#flights.get(key) ?? this.#start(key, work);
    flight.waiting += 1;
    let abort = (): void => {};
    const aborted = new Promise<never>((_, reject) => {
      abort = () => reject(cancelled());
      signal.addEventListener("abort", abort, { once: true });
    });
    try {
      return (await Promise.race([flight.result, aborted])) as T;
    } finally {
      signal.removeEventListener("abort", abort);
      flight.waiting -= 1;
      if (flight.waiting === 0) {
        // Nobody may join work that is being cancelled.
        if (this.#flights.get(key) === flight) this.#flights.delete(key);
        flight.controller.abort();
      }
    }
  }

  #start<T>(key: string, work: (signal: AbortSignal) => Promise<T>): Flight {
    const controller = new AbortController();
    const flight: Flight = { result: work(controller.signal), controller, waiting: 0 };
    this.#flights.set(key, flight);
    // The flight may outlive its last waiter; its failure is then nobody's.
    flight.result
      .catch(() => {})
      .finally(() => {
        if (this.#flights.get(key) === flight) this.#flights.delete(key);
      });
    return flight;
  }
}

const cancelled = (): BuildError => new BuildError("BUILD_CANCELLED", "the build was cancelled");
