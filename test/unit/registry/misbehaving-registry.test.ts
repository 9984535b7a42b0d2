import { randomBytes } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { digestOf } from "../../../src/base/digest.ts";
import type { Descriptor } from "../../../src/image/descriptor.ts";
import { parseReference } from "../../../src/image/reference.ts";
import type { PushContent } from "../../../src/registry/push-content.ts";
import { faults } from "../../support/registry.ts";
import { collect, credentialsOf, instantRetries, testClient, testWriter } from "../../support/registry-client.ts";
import { rejectionOf } from "../../support/thrown-by.ts";
import { useRegistry } from "../../support/use-registry.ts";
import { useStore } from "../../support/use-store.ts";

/** What registries do to those who pull and push, each once: it is survived, or refused with a code. */
const registry = useRegistry({ kind: "basic", username: "ann", password: "secret" });
const stores = useStore();
const signal = new AbortController().signal;
const content = randomBytes(400 * 1024);
const piece = 64 * 1024;
const login = (): { readonly credentials: ReturnType<typeof credentialsOf> } => ({
  credentials: credentialsOf({ [registry.current.host]: { kind: "password", username: "ann", password: "secret" } }),
});
const reference = () => parseReference(`${registry.current.host}/ns/app:v1`);

/** A host that registries send people to; it notes what it is told. */
const hosts: Server[] = [];
afterEach(() => {
  for (const host of hosts.splice(0)) host.closeAllConnections();
});
async function otherHost(body: Buffer): Promise<{ readonly url: string; readonly authorizations: unknown[] }> {
  const authorizations: unknown[] = [];
  const host = createServer((request, response) => {
    authorizations.push(request.headers.authorization);
    response.end(body);
  });
  hosts.push(host);
  await new Promise<void>((resolve) => host.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${(host.address() as AddressInfo).port}/blob`, authorizations };
}

/** Fetches the blob into the store, as pulls do: what is there afterwards is right. */
async function pull(attempts = 3): Promise<void> {
  const blob: Descriptor = registry.current.addBlob(content);
  const client = testClient({ ...login(), retry: instantRetries(attempts) });
  await stores.store.blobs.put(blob, await client.openBlob(reference(), blob, signal), signal);
  expect((await collect(stores.store.blobs.read(blob.digest))).equals(content)).toBe(true);
}

const isStored = () => stores.store.blobs.has({ digest: digestOf(content), size: content.length });
const blobs = /GET .*\/blobs\//;

describe("a pull from a registry", () => {
  test("that sends other bytes than the digest says is refused", async () => {
    registry.current.fail(blobs, faults.body(Buffer.alloc(content.length), { "content-length": content.length }));
    expect(await rejectionOf(pull())).toMatchObject({ code: "BLOB_DIGEST_MISMATCH" });
    expect(await isStored()).toBe(false);
  });

  test("that sends too little is refused", async () => {
    registry.current.fail(blobs, faults.body(content.subarray(0, piece), { "transfer-encoding": "chunked" }));
    expect(await rejectionOf(pull())).toMatchObject({ code: "BLOB_DIGEST_MISMATCH" });
    expect(await isStored()).toBe(false);
  });

  test("that sends without end is refused at the size of the blob", async () => {
    registry.current.fail(blobs, faults.endless());
    expect(await rejectionOf(pull())).toMatchObject({ code: "BLOB_TOO_LARGE" });
    expect(await isStored()).toBe(false);
  });

  test("that sends a manifest without end is refused at 4 MiB", async () => {
    registry.current.fail(/GET .*\/manifests\//, faults.endless());
    const fetched = testClient(login()).fetchManifest(reference(), signal);
    expect(await rejectionOf(fetched)).toMatchObject({ code: "BLOB_TOO_LARGE" });
  });

  test("that asks for a login for ever is asked three times at most", async () => {
    registry.current.fail(/./, faults.status(401, { "www-authenticate": 'Basic realm="x"' }));
    expect(await rejectionOf(pull())).toMatchObject({ code: "SOURCE_UNAUTHORIZED" });
    expect(registry.current.log.length).toBeLessThanOrEqual(3);
  });

  test("that sends to another host survives, and that host is told no password", async () => {
    const { url, authorizations } = await otherHost(content);
    registry.current.fail(blobs, faults.redirect(url));
    // The login is known by now, and is not taken along.
    registry.current.addImage("v1");
    await pull();
    expect(authorizations).toEqual([undefined]);
  });

  test("that wants fewer requests survives when it comes to its senses, and is refused otherwise", async () => {
    registry.current.fail(blobs, faults.status(429, { "retry-after": "1" }), 2);
    await pull();
    await stores.store.blobs.quarantine(digestOf(content));
    registry.current.fail(blobs, faults.status(429, { "retry-after": "1" }));
    expect(await rejectionOf(pull())).toMatchObject({ code: "SOURCE_RATE_LIMITED" });
  });

  test("that breaks the connection every 64 KiB survives for as long as attempts are left", async () => {
    registry.current.fail(blobs, faults.resetAfter(content, piece));
    await pull(10);
    await stores.store.blobs.quarantine(digestOf(content));
    expect(await rejectionOf(pull(3))).toMatchObject({ code: "SOURCE_UNAVAILABLE" });
    expect(await isStored()).toBe(false);
  });
});

describe("a push to a registry", () => {
  const pushed = (): PushContent => ({
    blobs: [
      {
        descriptor: { mediaType: "text/plain", digest: digestOf(content), size: content.length },
        async *open(start, end) {
          for (let at = start; at < end; at += piece) yield content.subarray(at, Math.min(at + piece, end));
        },
        verify: async () => {},
        origins: [],
      },
    ],
    manifests: [],
    root: { descriptor: { mediaType: "", digest: digestOf(""), size: 0 }, bytes: Buffer.alloc(0) },
  });
  const push = (attempts = 3): Promise<void> =>
    testWriter({ ...login(), retry: instantRetries(attempts) }).upload(
      reference(),
      pushed(),
      { sent: () => {}, arrived: () => {} },
      signal,
    );

  test("that breaks the connection every 64 KiB, and keeps what it has, survives", async () => {
    registry.current.cutUploads(/PUT|PATCH/, piece, true, 4);
    await push(10);
    expect(registry.current.blob(digestOf(content))?.equals(content)).toBe(true);
  });

  test("that breaks the connection every 64 KiB, and keeps nothing, is given up", async () => {
    registry.current.cutUploads(/PUT|PATCH/, piece, false, 100);
    expect(await rejectionOf(push())).toMatchObject({ code: "SOURCE_UNAVAILABLE" });
  });

  test("that asks for a login for ever is refused", async () => {
    registry.current.fail(/./, faults.status(401, { "www-authenticate": 'Basic realm="x"' }));
    expect(await rejectionOf(push())).toMatchObject({ code: "SOURCE_UNAUTHORIZED" });
    expect(registry.current.log.length).toBeLessThanOrEqual(3);
  });

  test("that wants the upload at another host is refused, and that host gets nothing", async () => {
    const { url, authorizations } = await otherHost(content);
    registry.current.fail(/POST/, faults.status(202, { location: url }));
    expect(await rejectionOf(push())).toMatchObject({ code: "SOURCE_INVALID" });
    expect(authorizations).toEqual([]);
  });

  test("that wants fewer requests survives when it comes to its senses", async () => {
    registry.current.fail(/POST/, faults.status(429, { "retry-after": "1" }), 2);
    await push();
    expect(registry.current.blob(digestOf(content))?.equals(content)).toBe(true);
  });

  test("that answers without end is not listened to", async () => {
    registry.current.fail(/POST/, faults.endless({}, 500));
    expect(await rejectionOf(push())).toMatchObject({ code: "SOURCE_UNAVAILABLE" });
  });
});
