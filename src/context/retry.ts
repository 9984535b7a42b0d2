import { setTimeout as sleep } from "node:timers/promises";
import { BuildError, isBuildError, kindOf } from "../base/errors.ts";

/** How often and how long to try again. */
export interface RetryPolicy {
  /** Including the first one; at least 1. */
  readonly attempts: number;
  /** Longest wait before attempt `attempt` (2, 3, …), in milliseconds; the real one is random, from half of it on. */
  readonly delayMs: (attempt: number) => number;
}

/** Five attempts over some ten seconds. */
export const networkRetries: RetryPolicy = { attempts: 5, delayMs: (attempt) => 500 * 2 ** (attempt - 1) };

/** Details of an error that say how long a server asked us to wait, and how often it is worth trying at all. */
const waitDetail = "retryAfterMs";
const attemptsDetail = "attempts";
const longestWaitMs = 60_000;

/**
 * Runs `work` again as long as it fails with something that may pass (a transient BuildError). An error with the detail
 * `retryAfterMs` waits that long, a minute at most; one with `attempts` is tried that often at most. Rejects with the last error, or BUILD_CANCELLED.
 */
export async function withRetries<T>(work: () => Promise<T>, policy: RetryPolicy, signal: AbortSignal): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (signal.aborted) throw cancelled();
      if (!isBuildError(error) || kindOf(error.code) !== "transient") throw error;
      const worth = error.details[attemptsDetail];
      if (attempt >= Math.min(policy.attempts, typeof worth === "number" ? worth : policy.attempts)) throw error;
      const asked = error.details[waitDetail];
      const usual = policy.delayMs(attempt + 1) * (0.5 + Math.random() / 2);
      await wait(typeof asked === "number" ? Math.min(asked, longestWaitMs) : usual, signal);
    }
  }
}

async function wait(milliseconds: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(milliseconds, undefined, { signal });
  } catch {
    throw cancelled();
  }
}

export const cancelled = (): BuildError => new BuildError("BUILD_CANCELLED", "the build was cancelled");
