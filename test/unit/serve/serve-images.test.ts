import { readFileSync, statSync, writeFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { parseDigest } from "../../../src/base/digest.ts";
import { parseReference } from "../../../src/image/reference.ts";
import { imageStoreOutput } from "../../../src/output/image-store-output.ts";
import { file } from "../../support/layer-builder.ts";
import { collect, testClient } from "../../support/registry-client.ts";
import { useRegistryServer } from "../../support/use-registry-server.ts";

const served = useRegistryServer();

/** Stores an image of one layer under `names`. */
async function store(...names: readonly string[]): Promise<void> {
  const image = await served.make("amd64", [file("f", names.join(" "))]);
  await imageStoreOutput(names, served.store.images, served.store.blobs, Date.now).write([image], signal());
}

const signal = (): AbortSignal => new AbortController().signal;

interface Manifest {
  readonly config: { readonly digest: string; readonly size: number };
  readonly layers: readonly { readonly digest: string; readonly size: number; readonly mediaType: string }[];
}

async function manifestOf(path: string): Promise<Manifest> {
  return JSON.parse((await served.ask(`GET ${path}`)).body.toString());
}

test("the root of the protocol answers", async () => {
  await served.serve();
  const { status, headers, body } = await served.ask("GET /v2/");
  expect([status, headers["content-type"], body.toString()]).toEqual([200, "application/json", "{}"]);
});

test("images of the store are repositories by their familiar names; what no repository can be called is left out", async () => {
  await store("app:1", "ns/app:1", "ns/app:2", "ghcr.io/ns/app:1", "host:5000/ns/app:1");
  await served.serve();
  const catalog = JSON.parse((await served.ask("GET /v2/_catalog")).body.toString());
  expect(catalog).toEqual({ repositories: ["app", "ghcr.io/ns/app", "ns/app"] });
  const tags = JSON.parse((await served.ask("GET /v2/ns/app/tags/list")).body.toString());
  expect(tags).toEqual({ name: "ns/app", tags: ["1", "2"] });
  expect(await served.ask("GET /v2/library/app/manifests/1")).toMatchObject({ status: 200 });
});

test("a layer that was never compressed is, once, when its image is asked for", async () => {
  await store("app:1");
  await served.serve();
  const { layers } = await manifestOf("/v2/app/manifests/1");
  const path = served.store.paths.blob(parseDigest(layers[0]?.digest));
  const { ino } = statSync(path);
  await manifestOf("/v2/app/manifests/1");
  expect(statSync(path).ino).toBe(ino);
  expect(layers).toMatchObject([{ mediaType: "application/vnd.oci.image.layer.v1.tar+gzip" }]);
  const blob = await served.ask(`GET /v2/app/blobs/${layers[0]?.digest}`);
  expect(blob.body).toHaveLength(layers[0]?.size ?? 0);
  expect(gunzipSync(blob.body).includes("app:1")).toBe(true);
});

test("a blob is there for who asks for it before its manifest", async () => {
  await store("app:1");
  await served.serve();
  const { config } = await manifestOf("/v2/app/manifests/1");
  await served.serve();
  expect((await served.ask(`GET /v2/app/blobs/${config.digest}`)).body).toHaveLength(config.size);
});

test("HEAD says what GET would, and a client that has it is told so", async () => {
  await store("app:1");
  await served.serve();
  const { headers, body } = await served.ask("GET /v2/app/manifests/1");
  const digest = headers["docker-content-digest"];
  expect(headers.etag).toBe(`"${digest}"`);
  for (const path of ["/v2/app/manifests/1", `/v2/app/manifests/${digest}`]) {
    const head = await served.ask(`HEAD ${path}`);
    expect(head).toMatchObject({ status: 200, body: Buffer.alloc(0) });
    expect(head.headers["content-length"]).toBe(String(body.length));
    const again = await served.ask(`GET ${path}`, { headers: { "if-none-match": headers.etag } });
    expect(again).toMatchObject({ status: 304, body: Buffer.alloc(0) });
  }
});

test("ranges of a blob", async () => {
  await store("app:1");
  await served.serve();
  const { config } = await manifestOf("/v2/app/manifests/1");
  const path = `GET /v2/app/blobs/${config.digest}`;
  const whole = (await served.ask(path)).body;
  const right: readonly (readonly [string, number, number, number?])[] = [
    ["bytes=5-9", 206, 5, 10],
    ["bytes=5-", 206, 5],
    ["bytes=-5", 206, -5],
    ["bytes=0-999999", 206, 0],
    ["bytes=0-1,4-5", 200, 0],
    ["lines=1-2", 200, 0],
  ];
  for (const [range, status, start, end] of right) {
    const part = await served.ask(path, { headers: { range } });
    expect([range, part.status, part.body.toString()]).toEqual([range, status, whole.subarray(start, end).toString()]);
  }
  for (const range of ["bytes=999999-", "bytes=5-2", "bytes=-0"]) {
    const answer = await served.ask(path, { headers: { range } });
    expect([range, answer.status, answer.code]).toEqual([range, 416, "RANGE_INVALID"]);
    expect(answer.headers["content-range"]).toBe(`bytes */${config.size}`);
  }
});

test("a range is only given of the blob the client has begun with", async () => {
  await store("app:1");
  await served.serve();
  const { config } = await manifestOf("/v2/app/manifests/1");
  const headers = { range: "bytes=1-2", "if-range": '"sha256:other"' };
  expect(await served.ask(`GET /v2/app/blobs/${config.digest}`, { headers })).toMatchObject({ status: 200 });
});

test("a broken blob breaks off instead of being given, and is made again for the next client", async () => {
  await store("app:1");
  await served.serve();
  const { layers } = await manifestOf("/v2/app/manifests/1");
  const digest = layers[0]?.digest ?? "";
  const path = served.store.paths.blob(parseDigest(digest));
  const right = readFileSync(path);
  writeFileSync(path, Buffer.from(right).fill(0, 20, 24));
  await expect(served.ask(`GET /v2/app/blobs/${digest}`)).rejects.toThrow();
  expect((await served.ask(`GET /v2/app/blobs/${digest}`)).body.equals(right)).toBe(true);
});

test("what another repository has is not given under this one's name", async () => {
  await store("app:1", "other:1");
  await served.serve();
  await served.ask("GET /v2/app/manifests/1");
  const path = "blobs/sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
  expect(await served.ask(`GET /v2/app/${path}`)).toMatchObject({ status: 404, code: "BLOB_UNKNOWN" });
  expect(await served.ask("GET /v2/app/manifests/2")).toMatchObject({ status: 404, code: "MANIFEST_UNKNOWN" });
  expect(await served.ask("GET /v2/none/tags/list")).toMatchObject({ status: 404, code: "NAME_UNKNOWN" });
});

test("tsbuild's own client reads an image of several platforms", async () => {
  const images = [await served.make("amd64", [file("f", "a")]), await served.make("arm64", [file("f", "b")])];
  await imageStoreOutput(["multi:1"], served.store.images, served.store.blobs, Date.now).write(images, signal());
  await served.serve();
  const client = testClient();
  const reference = parseReference(`${served.host}/multi:1`);
  const { root } = await client.fetchManifest(reference, signal());
  if (root.kind !== "index") throw new Error("want an index");
  expect(root.index.manifests.map(({ platform }) => platform?.architecture)).toEqual(["amd64", "arm64"]);
  for (const { digest } of root.index.manifests) {
    const child = (await client.fetchManifest({ ...reference, digest }, signal())).root;
    if (child.kind !== "manifest") throw new Error("want a manifest");
    const [layer] = child.manifest.layers;
    if (layer === undefined) throw new Error("want a layer");
    expect(await collect(await client.openBlob(reference, layer, signal()))).toHaveLength(layer.size);
  }
});

test("an image that is built anew under the same name is served anew", async () => {
  await store("app:1");
  await served.serve();
  const before = (await served.ask("HEAD /v2/app/manifests/1")).headers.etag;
  await store("app:1", "app:2");
  expect((await served.ask("HEAD /v2/app/manifests/1")).headers.etag).not.toBe(before);
});
