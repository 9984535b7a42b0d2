import { setTimeout as delay } from "node:timers/promises";
import { BuildError } from "../base/errors.ts";
import { longestPauseMs } from "./limits.ts";

/** A failure that may be gone at the next attempt; `error` is what it means when no attempt is left. */
export class TransientFailure extends Error {
  readonly error: BuildError;
  /** What the server asked for; null when it did not say. */
  readonly retryAfterMs: number | null;
  /** How often it is worth trying, the first time included. */
  readonly attempts: number;

  constructor(error: BuildError, retryAfterMs: number | null = null, attempts = Number.POSITIVE_INFINITY) {
    super(error.message);
    this.error = error;
    this.retryAfterMs = retryAfterMs;
    this.attempts = attempts;
  }
}

/** How often and how fast something is tried again. */
export interface RetryPolicy {
  readonly attempts: number;
  readonly firstPauseMs: number;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  /** From 0 to 1. */
  readonly random: () => number;
}

/** Five attempts over about three seconds. */
export const defaultRetryPolicy: RetryPolicy = {
  attempts: 5,
  firstPauseMs: 200,
  sleep: (ms, signal) => delay(ms, undefined, { signal }),
  random: Math.random,
};

/** Waits before attempt number `next` (the first retry is 1), or throws the failure when there is none left. */
export async function pauseBeforeRetry(
  failure: TransientFailure,
  next: number,
  policy: RetryPolicy,
  signal: AbortSignal,
): Promise<void> {
  const { retryAfterMs, error, attempts } = failure;
  if (next >= Math.min(attempts, policy.attempts) || (retryAfterMs ?? 0) > longestPauseMs) throw error;
  const step = policy.firstPauseMs * 2 ** (next - 1);
  const pauseMs = Math.max(retryAfterMs ?? 0, step / 2) + (policy.random() * step) / 2;
  try {
    await policy.sleep(Math.round(pauseMs), signal);
  } catch (cause) {
    if (signal.aborted) throw cancelled();
    throw cause;
  }
}

/** Calls `attempt` until it does not throw a TransientFailure; pauses double and are spread by chance. */
export async function withRetries<T>(policy: RetryPolicy, signal: AbortSignal, attempt: () => Promise<T>): Promise<T> {
  for (let next = 1; ; next += 1) {
    try {
      return await attempt();
    } catch (failure) {
      if (!(failure instanceof TransientFailure)) throw failure;
      await pauseBeforeRetry(failure, next, policy, signal);
    }
  }
}

export const cancelled = (): BuildError => new BuildError("BUILD_CANCELLED", "the build was cancelled");

/** Milliseconds a Retry-After header asks for (RFC 9110 section 10.2.3); null when there is none that can be read. */
export function parseRetryAfter(header: string | null, nowMs: number): number | null {
  if (header === null) return null;
  if (/^\d{1,9}$/.test(header.trim())) return Number(header) * 1000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? null : Math.max(0, at - nowMs);
}
