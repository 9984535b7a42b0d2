import { expect, test } from "vitest";
import { Semaphore } from "../../../src/base/semaphore.ts";

test("lets waiters in one by one, in order", async () => {
  const semaphore = new Semaphore(1);
  const order: number[] = [];
  await Promise.all([1, 2, 3].map((n) => semaphore.use(async () => void order.push(n))));
  expect(order).toEqual([1, 2, 3]);
});

test("a waiter that is cancelled leaves its place to the next", async () => {
  const semaphore = new Semaphore(1);
  const abort = new AbortController();
  let release = (): void => {};
  const held = semaphore.use(
    () =>
      new Promise<void>((resolve) => {
        release = resolve;
      }),
  );
  const cancelled = semaphore.use(async () => "never", abort.signal);
  const next = semaphore.use(async () => "next");
  abort.abort();
  await expect(cancelled).rejects.toMatchObject({ code: "BUILD_CANCELLED" });
  release();
  await held;
  expect(await next).toBe("next");
});

test("gives the place back when the work fails", async () => {
  const semaphore = new Semaphore(1);
  await expect(semaphore.use(() => Promise.reject(new Error("x")))).rejects.toThrow("x");
  expect(await semaphore.use(async () => "free")).toBe("free");
});
