import { createHash } from "node:crypto";
import { once } from "node:events";
import { readdirSync, utimesSync } from "node:fs";
import net from "node:net";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type Digest, digestOf } from "../../../src/base/digest.ts";
import { parseReference } from "../../../src/image/reference.ts";
import { imageStoreOutput } from "../../../src/output/image-store-output.ts";
import { pushContentOf } from "../../../src/output/push-content-of.ts";
import { storedOciImage } from "../../../src/output/stored-oci-image.ts";
import { tryPrune } from "../../../src/store/prune.ts";
import { file } from "../../support/layer-builder.ts";
import { testClient, testWriter } from "../../support/registry-client.ts";
import { useRegistryServer } from "../../support/use-registry-server.ts";

const served = useRegistryServer();
const signal = (): AbortSignal => new AbortController().signal;
const content = Buffer.from("0123456789".repeat(100));
const digest = digestOf(content);

/** Path of a new upload. */
async function begin(repository = "app"): Promise<string> {
  return String((await served.ask(`POST /v2/${repository}/blobs/uploads/`)).headers.location);
}

/** Names of blobs a repository holds in the store. */
const links = (kind: string, repository = "app"): readonly string[] => {
  try {
    return readdirSync(join(served.store.root, "repositories", repository, kind));
  } catch {
    return [];
  }
};

test.each([
  ["in one request", async () => served.ask(`POST /v2/app/blobs/uploads/?digest=${digest}`, { body: content })],
  ["in two", async () => served.ask(`PUT ${await begin()}?digest=${digest}`, { body: content })],
  [
    "as a stream and an end",
    async () => {
      const upload = await begin();
      await served.ask(`PATCH ${upload}`, { body: content });
      return served.ask(`PUT ${upload}?digest=${digest}`);
    },
  ],
  [
    "in pieces, the last with the end",
    async () => {
      const upload = await begin();
      const first = { headers: { "content-range": "0-99" }, body: content.subarray(0, 100) };
      expect(await served.ask(`PATCH ${upload}`, first)).toMatchObject({ status: 202, headers: { range: "0-99" } });
      return served.ask(`PUT ${upload}?digest=${digest}`, {
        headers: { "content-range": "100-999" },
        body: content.subarray(100),
      });
    },
  ],
] as const)("a blob is pushed %s", async (_how, push) => {
  await served.serve();
  const { status, headers } = await push();
  expect(status).toBe(201);
  expect(headers.location).toBe(`/v2/app/blobs/${digest}`);
  expect((await served.ask(`GET ${headers.location}`)).body.equals(content)).toBe(true);
});

test("sha512 is a digest too", async () => {
  await served.serve();
  const long = `sha512:${createHash("sha512").update(content).digest("hex")}`;
  const { status } = await served.ask(`POST /v2/app/blobs/uploads/?digest=${long}`, { body: content });
  expect(status).toBe(201);
  expect((await served.ask(`GET /v2/app/blobs/${long}`)).body.equals(content)).toBe(true);
});

test("what is not complete, or not what its digest says, is never there", async () => {
  await served.serve();
  const upload = await begin();
  await served.ask(`PATCH ${upload}`, { body: content });
  expect(await served.ask(`HEAD /v2/app/blobs/${digest}`)).toMatchObject({ status: 404 });
  const other = digestOf("other");
  const put = await served.ask(`PUT ${upload}?digest=${other}`);
  expect(put).toMatchObject({ status: 400, code: "DIGEST_INVALID" });
  for (const each of [digest, other])
    expect(await served.ask(`HEAD /v2/app/blobs/${each}`)).toMatchObject({ status: 404 });
  expect(await served.ask(`GET ${upload}`)).toMatchObject({ status: 404, code: "BLOB_UPLOAD_UNKNOWN" });
});

test("an upload whose connection broke is continued from where it is", async () => {
  await served.serve();
  const upload = await begin();
  const [hostname = "", port] = served.host.split(":");
  const socket = net.connect(Number(port), hostname);
  const head = `PATCH ${upload} HTTP/1.1\r\nhost: ${served.host}\r\ncontent-length: ${content.length}\r\n\r\n`;
  socket.write(Buffer.concat([Buffer.from(head), content.subarray(0, 300)]), () => socket.end());
  await once(socket.resume(), "close");
  // The next request waits for the one that broke.
  const wrong = { headers: { "content-range": "999-999" }, body: "9" };
  const refused = await served.ask(`PATCH ${upload}`, wrong);
  expect(refused).toMatchObject({ status: 416, code: "RANGE_INVALID", headers: { range: "0-299", location: upload } });
  expect(await served.ask(`GET ${upload}`)).toMatchObject({ status: 204, headers: { range: "0-299" } });
  const rest = { headers: { "content-range": "300-999" }, body: content.subarray(300) };
  expect(await served.ask(`PUT ${upload}?digest=${digest}`, rest)).toMatchObject({ status: 201 });
  expect(served.failures).toEqual([]);
});

test("an upload can be given up, and is of one repository only", async () => {
  await served.serve();
  const upload = await begin();
  expect(await served.ask(`GET ${upload.replace("/app/", "/other/")}`)).toMatchObject({ status: 404 });
  expect(await served.ask(`DELETE ${upload}`)).toMatchObject({ status: 204 });
  expect(await served.ask(`PATCH ${upload}`, { body: content })).toMatchObject({
    status: 404,
    code: "BLOB_UPLOAD_UNKNOWN",
  });
});

test("what an upload received is gone with the server", async () => {
  const server = await served.serve();
  await served.ask(`PATCH ${await begin()}`, { body: content });
  const inStore = (): readonly string[] =>
    readdirSync(join(served.store.root, "tmp"), { recursive: true })
      .map(String)
      .filter((name) => /upload-/.test(name));
  expect(inStore()).toHaveLength(1);
  await server.stop();
  expect(inStore()).toEqual([]);
});

test.each([
  ["from the repository that has it", "&from=source", 201],
  ["from anywhere", "", 201],
  ["from one that does not have it: an upload is begun", "&from=elsewhere", 202],
] as const)("a blob is taken over %s", async (_how, from, status) => {
  await served.serve();
  await served.pushBlob("source", content);
  const answer = await served.ask(`POST /v2/app/blobs/uploads/?mount=${digest}${from}`);
  expect(answer.status).toBe(status);
  expect((await served.ask(`HEAD /v2/app/blobs/${digest}`)).status).toBe(status === 201 ? 200 : 404);
});

test("a manifest is found by its tag and its digest, as it came", async () => {
  await served.serve();
  const pushed = await served.pushArtifact("app", "v1");
  const byTag = await served.ask("GET /v2/app/manifests/v1");
  const byDigest = await served.ask(`GET /v2/app/manifests/${pushed}`);
  expect(digestOf(byTag.body)).toBe(pushed);
  expect(byDigest.body.equals(byTag.body)).toBe(true);
  expect(byTag.headers["content-type"]).toBe("application/vnd.oci.image.manifest.v1+json");
  expect(JSON.parse((await served.ask("GET /v2/app/tags/list")).body.toString()).tags).toEqual(["v1"]);
});

const manifestType = "application/vnd.oci.image.manifest.v1+json";
const right = {
  schemaVersion: 2,
  mediaType: manifestType,
  config: { mediaType: "application/vnd.oci.empty.v1+json", digest: digestOf("{}"), size: 2 },
  layers: [],
};
test("manifests that are wrong, or name what is not there, are refused", async () => {
  await served.serve();
  await served.pushBlob("app", "{}");
  const { config } = right;
  const wrong = [
    [{ ...right, layers: [{ mediaType: "text/plain", digest, size: 1000 }] }, "MANIFEST_BLOB_UNKNOWN"],
    [{ ...right, config: { ...config, size: 3 } }, "MANIFEST_BLOB_UNKNOWN"],
    [{ ...right, mediaType: "application/vnd.oci.image.index.v1+json" }, "MANIFEST_INVALID"],
    [{ ...right, config: undefined }, "MANIFEST_INVALID"],
    [{ ...right, manifests: [] }, "MANIFEST_INVALID"],
    [{ ...right, config: { ...config, digest: "sha256:../../x" } }, "MANIFEST_INVALID"],
    [{ ...right, schemaVersion: 1 }, "MANIFEST_INVALID"],
    [[], "MANIFEST_INVALID"],
  ] as const;
  for (const [manifest, code] of wrong) {
    const request = { headers: { "content-type": manifestType }, body: JSON.stringify(manifest) };
    const answer = await served.ask("PUT /v2/app/manifests/v1", request);
    expect([manifest, answer.status, answer.code]).toEqual([manifest, 400, code]);
  }
  expect(await served.ask("GET /v2/app/manifests/v1")).toMatchObject({ status: 404 });
  expect(links("manifests")).toEqual([]);
});

test("an index whose manifests are missing is refused", async () => {
  await served.serve();
  const mediaType = "application/vnd.oci.image.index.v1+json";
  const manifests = [{ mediaType: manifestType, digest, size: 1000 }];
  const request = {
    headers: { "content-type": mediaType },
    body: JSON.stringify({ schemaVersion: 2, mediaType, manifests }),
  };
  expect(await served.ask("PUT /v2/app/manifests/v1", request)).toMatchObject({ code: "MANIFEST_BLOB_UNKNOWN" });
});

test("an index of blobs, as build caches are, is kept with its blobs", async () => {
  await served.serve();
  await served.pushBlob("app", content);
  const mediaType = "application/vnd.oci.image.index.v1+json";
  const manifests = [{ mediaType: "application/vnd.oci.image.layer.v1.tar+gzip", digest, size: content.length }];
  const body = JSON.stringify({ schemaVersion: 2, mediaType, manifests });
  const request = { headers: { "content-type": mediaType }, body };
  expect(await served.ask("PUT /v2/app/manifests/cache", request)).toMatchObject({ status: 201 });
  expect(await served.ask(`DELETE /v2/app/blobs/${digest}`)).toMatchObject({ status: 405, code: "DENIED" });
});

test("a manifest above 4 MiB is refused, whether it says so or not", async () => {
  await served.serve();
  const body = Buffer.alloc(4 * 1024 * 1024 + 1, " ");
  for (const headers of [{ "content-type": manifestType }, { "transfer-encoding": "chunked" }])
    expect(await served.ask("PUT /v2/app/manifests/v1", { headers, body })).toMatchObject({
      status: 413,
      code: "SIZE_INVALID",
    });
});

test("a manifest by another digest than its own is refused", async () => {
  await served.serve();
  await served.pushBlob("app", "{}");
  const request = { headers: { "content-type": manifestType }, body: JSON.stringify(right) };
  expect(await served.ask(`PUT /v2/app/manifests/${digest}`, request)).toMatchObject({ code: "DIGEST_INVALID" });
});

test("what is about another manifest is listed as its referrer, by type if wanted, even before that is there", async () => {
  await served.serve();
  const subject = { mediaType: manifestType, digest, size: 1000 };
  const artifact = { subject, artifactType: "text/sbom", annotations: { a: "b" } };
  const first = await served.pushArtifact("app", null, artifact);
  const second = await served.pushArtifact("app", "second", { subject });
  const list = async (filter = ""): Promise<readonly { readonly digest: string; readonly artifactType: string }[]> =>
    JSON.parse((await served.ask(`GET /v2/app/referrers/${digest}${filter}`)).body.toString()).manifests;
  expect((await list()).map((each) => each.digest).sort()).toEqual([first, second].sort());
  expect(await list("?artifactType=text/sbom")).toMatchObject([{ digest: first, annotations: { a: "b" } }]);
  expect(await list("?artifactType=application/vnd.oci.empty.v1%2Bjson")).toMatchObject([{ digest: second }]);
  const filtered = await served.ask(`GET /v2/app/referrers/${digest}?artifactType=none`);
  expect(filtered.headers).toMatchObject({
    "oci-filters-applied": "artifactType",
    "content-type": "application/vnd.oci.image.index.v1+json",
  });
  expect(await served.ask("GET /v2/app/referrers/sha256:12")).toMatchObject({ status: 400, code: "DIGEST_INVALID" });
});

test("the answer to a manifest with a subject says that it was understood; tags may come with a digest", async () => {
  await served.serve();
  await served.pushBlob("app", "{}");
  const body = JSON.stringify({ ...right, subject: { mediaType: manifestType, digest, size: 1 } });
  const headers = { "content-type": manifestType };
  const answer = await served.ask(`PUT /v2/app/manifests/${digestOf(body)}?tag=a&tag=b`, { headers, body });
  expect(answer.headers).toMatchObject({ "oci-subject": digest, "oci-tag": "a, b" });
  expect(await served.ask("HEAD /v2/app/manifests/b")).toMatchObject({ status: 200 });
});

test("of a pushed tag and an image of the same name, the later one is served", async () => {
  const image = await served.make("amd64", [file("f", "x")]);
  const build = (atMs: number) =>
    imageStoreOutput(["app:v1"], served.store.images, served.store.blobs, () => atMs).write([image], signal());
  await build(Date.now() - 60_000);
  await served.serve();
  const pushed = await served.pushArtifact("app", "v1");
  expect((await served.ask("HEAD /v2/app/manifests/v1")).headers["docker-content-digest"]).toBe(pushed);
  await build(Date.now() + 60_000);
  expect((await served.ask("HEAD /v2/app/manifests/v1")).headers["docker-content-digest"]).not.toBe(pushed);
  expect(JSON.parse((await served.ask("GET /v2/app/tags/list")).body.toString()).tags).toEqual(["v1"]);
});

test("prune keeps what was pushed, also what was tagged of an image that is gone, and drops blobs nobody came for", async () => {
  const image = await served.make("amd64", [file("f", "x")]);
  await imageStoreOutput(["app:v1"], served.store.images, served.store.blobs, Date.now).write([image], signal());
  const server = await served.serve();
  const pushed = await served.pushArtifact("app", "artifact");
  const ofImage = await served.ask("GET /v2/app/manifests/v1");
  const headers = { "content-type": ofImage.headers["content-type"] };
  expect(await served.ask("PUT /v2/app/manifests/v2", { headers, body: ofImage.body })).toMatchObject({ status: 201 });
  const forgotten = await served.pushBlob("app", "forgotten");
  const young = await served.pushBlob("app", "young");
  await served.store.images.untag("docker.io/library/app:v1");
  const longAgo = new Date(Date.now() - 2 * 24 * 3600 * 1000);
  utimesSync(join(served.store.root, "repositories", "app", "blobs", forgotten), longAgo, longAgo);
  await server.stop();
  expect(
    await tryPrune(served.store, { all: true, containers: true, unusedSinceMs: null, keepBytes: null }),
  ).not.toBeNull();
  await served.serve();
  const manifest = JSON.parse((await served.ask("GET /v2/app/manifests/v2")).body.toString());
  for (const each of [manifest.config.digest, manifest.layers[0].digest, young])
    expect(await served.ask(`GET /v2/app/blobs/${each}`)).toMatchObject({ status: 200 });
  expect(await served.ask(`GET /v2/app/manifests/${pushed}`)).toMatchObject({ status: 200 });
  expect(await served.ask(`GET /v2/app/blobs/${forgotten}`)).toMatchObject({ status: 404 });
  expect(await served.store.blobs.has({ digest: forgotten as Digest, size: 9 })).toBe(false);
});

test("a prune finds its moment while the server runs, but not during an upload", async () => {
  await served.serve();
  const prune = () => tryPrune(served.store, { all: false, containers: false, unusedSinceMs: null, keepBytes: null });
  const upload = await begin();
  expect(await prune()).toBeNull();
  await served.ask(`DELETE ${upload}`);
  await expect.poll(prune).not.toBeNull();
  expect(await served.ask("GET /v2/_catalog")).toMatchObject({ status: 200 });
});

test("tsbuild's own writer pushes an image that its client finds again", async () => {
  const image = await served.make("amd64", [file("f", "x")], [file("g", "y")]);
  await imageStoreOutput(["app:v1"], served.store.images, served.store.blobs, Date.now).write([image], signal());
  const stored = await served.store.images.get("docker.io/library/app:v1");
  if (stored === null) throw new Error("want an image");
  const options = {
    compression: { format: { compression: "gzip", level: 1 }, force: false },
    annotations: [],
    ociMediaTypes: true,
  } as const;
  const oci = await storedOciImage(stored, stored.platforms, options, served.store.blobs, served.layers, signal());
  await served.serve();
  const reference = parseReference(`${served.host}/pushed/app:v2`);
  const writer = testWriter();
  const pushed = await pushContentOf(oci, served.layers, served.store.blobs);
  await writer.upload(reference, pushed, { sent: () => {}, arrived: () => {} }, signal());
  await writer.tag(reference, pushed, signal());
  expect((await testClient().fetchManifest(reference, signal())).descriptor.digest).toBe(oci.root.digest);
  expect(served.failures).toEqual([]);
});
