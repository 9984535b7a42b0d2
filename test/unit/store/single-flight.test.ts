import { expect, test } from "vitest";
import { SingleFlight } from "../../../src/store/single-flight.ts";
import { rejectionOf } from "../../support/thrown-by.ts";

const never = new AbortController().signal;

/** Work that ends when told to, or when it is aborted. */
function controlled() {
  let calls = 0;
  let finish = (_: string): void => {};
  let wasAborted = false;
  const work = (signal: AbortSignal): Promise<string> => {
    calls += 1;
    signal.addEventListener("abort", () => {
      wasAborted = true;
    });
    return new Promise((resolve) => {
      finish = resolve;
    });
  };
  return { work, finish: (value: string) => finish(value), calls: () => calls, wasAborted: () => wasAborted };
}

test("callers at the same time share one piece of work", async () => {
  const [flights, job] = [new SingleFlight(), controlled()];
  const results = [1, 2, 3].map(() => flights.run("key", never, job.work));
  job.finish("done");
  expect(await Promise.all(results)).toEqual(["done", "done", "done"]);
  expect(job.calls()).toBe(1);
});

test("the next caller starts anew, also after a failure", async () => {
  const flights = new SingleFlight();
  await expect(flights.run("key", never, () => Promise.reject(new Error("first")))).rejects.toThrow("first");
  expect(await flights.run("key", never, async () => "second")).toBe("second");
});

test("other keys do not wait", async () => {
  const [flights, job] = [new SingleFlight(), controlled()];
  const slow = flights.run("slow", never, job.work);
  expect(await flights.run("fast", never, async () => 1)).toBe(1);
  job.finish("late");
  expect(await slow).toBe("late");
});

test("one of two giving up does not stop the work", async () => {
  const [flights, job, impatient] = [new SingleFlight(), controlled(), new AbortController()];
  const first = rejectionOf(flights.run("key", impatient.signal, job.work));
  const second = flights.run("key", never, job.work);
  impatient.abort();
  expect((await first).code).toBe("BUILD_CANCELLED");
  expect(job.wasAborted()).toBe(false);
  job.finish("done");
  expect(await second).toBe("done");
});

test("all giving up stops the work, and the next caller does not get the cancelled one", async () => {
  const [flights, job, impatient] = [new SingleFlight(), controlled(), new AbortController()];
  const both = [1, 2].map(() => rejectionOf(flights.run("key", impatient.signal, job.work)));
  impatient.abort();
  for (const { code } of await Promise.all(both)) expect(code).toBe("BUILD_CANCELLED");
  expect(job.wasAborted()).toBe(true);
  expect(await flights.run("key", never, async () => "new")).toBe("new");
});

test("nothing starts after an abort", async () => {
  const [flights, job] = [new SingleFlight(), controlled()];
  expect((await rejectionOf(flights.run("key", AbortSignal.abort(), job.work))).code).toBe("BUILD_CANCELLED");
  expect(job.calls()).toBe(0);
});
