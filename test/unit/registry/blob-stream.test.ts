import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { digestOf } from "../../../src/base/digest.ts";
import { parseReference } from "../../../src/image/reference.ts";
import { faults } from "../../support/registry.ts";
import { collect, instantRetries, testClient } from "../../support/registry-client.ts";
import { rejectionOf } from "../../support/thrown-by.ts";
import { useRegistry } from "../../support/use-registry.ts";

const registry = useRegistry();
const signal = new AbortController().signal;
const content = randomBytes(300_000);
const ranges = (): readonly (string | undefined)[] => registry.current.requests.map((request) => request.headers.range);
const read = async (retry = instantRetries()): Promise<Buffer> => {
  const repository = parseReference(`${registry.current.host}/app`);
  return collect(await testClient({ retry }).openBlob(repository, registry.current.addBlob(content), signal));
};

test("a blob is streamed with one request", async () => {
  expect(digestOf(await read())).toBe(digestOf(content));
  expect(ranges()).toEqual([undefined]);
});

test("a broken transfer is continued where it broke", async () => {
  registry.current.fail(/blobs/, faults.resetAfter(content, 100_000), 2);
  expect(digestOf(await read())).toBe(digestOf(content));
  const [first, second, third] = ranges().map((range) => Number(/^bytes=(\d+)-$/.exec(range ?? "bytes=0-")?.[1]));
  expect(first).toBe(0);
  expect(second).toBeGreaterThan(0);
  expect(third).toBeGreaterThan(second ?? 0);
});

test("a server that ignores ranges is read from the beginning again", async () => {
  registry.current.fail(/blobs/, faults.resetAfter(content, 100_000), 1);
  registry.current.fail(/blobs/, faults.body(content));
  expect(digestOf(await read())).toBe(digestOf(content));
  expect(ranges()[1]).toBeDefined();
});

test("a problem while continuing is one more attempt", async () => {
  registry.current.fail(/blobs/, faults.resetAfter(content, 100_000), 1);
  registry.current.fail(/blobs/, faults.status(503), 2);
  expect(digestOf(await read())).toBe(digestOf(content));
});

test("a transfer that breaks each time is given up", async () => {
  registry.current.fail(/blobs/, faults.resetAfter(content, 10));
  const error = await rejectionOf(read(instantRetries(4)));
  expect(error.code).toBe("SOURCE_UNAVAILABLE");
  expect(registry.current.requests).toHaveLength(4);
});

test("a transfer that gets on may break often", async () => {
  const large = randomBytes(8 * 1024 * 1024);
  registry.current.fail(/blobs/, faults.resetAfter(large, 2 * 1024 * 1024));
  const repository = parseReference(`${registry.current.host}/app`);
  const client = testClient({ retry: instantRetries(2) });
  const received = await collect(await client.openBlob(repository, registry.current.addBlob(large), signal));
  expect(digestOf(received)).toBe(digestOf(large));
  expect(registry.current.requests.length).toBeGreaterThan(2);
});

test.each([
  ["another range", { "content-range": "bytes 5-299999/300000" }, "sent another range"],
  ["no range", {}, "sent another range"],
])("an answer with %s than was asked for is refused", async (_name, headers, problem) => {
  registry.current.fail(/blobs/, faults.resetAfter(content, 100_000), 1);
  registry.current.fail(/blobs/, (_request, response) => {
    response.writeHead(206, headers).end(content);
  });
  expect((await rejectionOf(read())).message).toContain(problem);
});

test("a range that is not there is refused", async () => {
  registry.current.fail(/blobs/, faults.resetAfter(content, 100_000), 1);
  registry.current.fail(/blobs/, faults.status(416));
  expect((await rejectionOf(read())).code).toBe("SOURCE_INVALID");
});

test("an endless blob is cut at its size", async () => {
  registry.current.fail(/blobs/, faults.endless());
  expect((await rejectionOf(read())).code).toBe("BLOB_TOO_LARGE");
});

test("a reader that stops early ends the transfer", async () => {
  const closed = new Promise<void>((resolve) => {
    registry.current.fail(/blobs/, (request, response) => {
      response.on("close", resolve);
      faults.endless()(request, response, () => {});
    });
  });
  const blob = { ...registry.current.addBlob(content), size: 1e9 };
  for await (const chunk of await testClient().openBlob(parseReference(`${registry.current.host}/app`), blob, signal)) {
    expect(chunk.length).toBeGreaterThan(0);
    break;
  }
  await closed;
});

test("an abort ends a transfer that stands still", async () => {
  const controller = new AbortController();
  registry.current.fail(/blobs/, (_request, response) => {
    response.writeHead(200, { "content-length": content.length });
    response.write(content.subarray(0, 10), () => controller.abort());
  });
  const repository = parseReference(`${registry.current.host}/app`);
  const work = testClient().openBlob(repository, registry.current.addBlob(content), controller.signal).then(collect);
  expect((await rejectionOf(work)).code).toBe("BUILD_CANCELLED");
});
