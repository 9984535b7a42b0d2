import { describe, expect, test } from "vitest";
import { BuildError } from "../../../src/base/errors.ts";
import { defaultRetryPolicy, parseRetryAfter, TransientFailure, withRetries } from "../../../src/registry/retry.ts";
import { instantRetries } from "../../support/registry-client.ts";
import { rejectionOf } from "../../support/thrown-by.ts";

const signal = new AbortController().signal;
const unavailable = (retryAfterMs: number | null = null): TransientFailure =>
  new TransientFailure(new BuildError("SOURCE_UNAVAILABLE", "down"), retryAfterMs);

test("pauses double, are spread by chance, and end with the last attempt", async () => {
  for (const [random, pauses] of [
    [0, [50, 100, 200]],
    [1, [100, 200, 400]],
  ] as const) {
    const policy = { ...instantRetries(4), random: () => random };
    let attempts = 0;
    const error = await rejectionOf(
      withRetries(policy, signal, async () => {
        attempts += 1;
        throw unavailable();
      }),
    );
    expect(error.message).toBe("down");
    expect(attempts).toBe(4);
    expect(policy.pauses).toEqual(pauses);
  }
});

test("what is not transient is not tried again", async () => {
  const policy = instantRetries();
  const error = await rejectionOf(
    withRetries(policy, signal, () => Promise.reject(new BuildError("SOURCE_NOT_FOUND", "gone"))),
  );
  expect(error.code).toBe("SOURCE_NOT_FOUND");
  expect(policy.pauses).toEqual([]);
});

test("a failure that says so is tried less often", async () => {
  const policy = instantRetries(4);
  const refused = new TransientFailure(new BuildError("SOURCE_UNAVAILABLE", "refused"), null, 2);
  await rejectionOf(withRetries(policy, signal, () => Promise.reject(refused)));
  expect(policy.pauses).toHaveLength(1);
});

test("an abort ends a pause", async () => {
  const controller = new AbortController();
  const work = withRetries({ ...defaultRetryPolicy, firstPauseMs: 1e6 }, controller.signal, () => {
    setImmediate(() => controller.abort());
    return Promise.reject(unavailable());
  });
  expect((await rejectionOf(work)).code).toBe("BUILD_CANCELLED");
});

describe("Retry-After", () => {
  const now = Date.parse("2025-01-01T00:00:00Z");
  test.each([
    ["7", 7000],
    ["0", 0],
    ["Wed, 01 Jan 2025 00:00:30 GMT", 30_000],
    ["Wed, 01 Jan 2020 00:00:30 GMT", 0],
    ["soon", null],
    ["", null],
    [null, null],
  ])("%j is %j milliseconds", (header, expected) => {
    expect(parseRetryAfter(header, now)).toBe(expected);
  });
});
