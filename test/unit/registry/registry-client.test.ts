import { describe, expect, test } from "vitest";
import { digestOf } from "../../../src/base/digest.ts";
import { mediaTypes } from "../../../src/image/media-types.ts";
import { parseReference, type Reference } from "../../../src/image/reference.ts";
import { type Fault, faults } from "../../support/registry.ts";
import { collect, instantRetries, testClient } from "../../support/registry-client.ts";
import { rejectionOf } from "../../support/thrown-by.ts";
import { useRegistry } from "../../support/use-registry.ts";

const registry = useRegistry();
const signal = new AbortController().signal;
const reference = (suffix = ""): Reference => parseReference(`${registry.current.host}/ns/app${suffix}`);

describe("fetchManifest", () => {
  test("gets a manifest by tag and by digest, with one request each", async () => {
    const { manifest, layers } = registry.current.addImage("v1");
    const client = testClient();
    for (const suffix of [":v1", `@${manifest.digest}`, `:gone@${manifest.digest}`]) {
      const fetched = await client.fetchManifest(reference(suffix), signal);
      expect(fetched.descriptor).toEqual(manifest);
      expect(digestOf(fetched.bytes)).toBe(manifest.digest);
      expect(fetched.root).toMatchObject({ kind: "manifest", manifest: { layers } });
    }
    const path = "GET /v2/ns/app/manifests/";
    expect(registry.current.log).toEqual([`${path}v1`, `${path}${manifest.digest}`, `${path}${manifest.digest}`]);
  });

  test("accepts OCI and docker types, no compression, and sends no credentials", async () => {
    registry.current.addImage("latest");
    await testClient().fetchManifest(reference(), signal);
    const headers = registry.current.requests[0]?.headers ?? {};
    for (const type of [
      mediaTypes.ociIndex,
      mediaTypes.ociManifest,
      mediaTypes.dockerIndex,
      mediaTypes.dockerManifest,
    ]) {
      expect(headers.accept).toContain(type);
    }
    expect(headers["accept-encoding"]).toBe("identity");
    expect(headers.authorization).toBeUndefined();
    expect(headers.cookie).toBeUndefined();
  });

  test("needs neither Docker-Content-Digest nor a Content-Type that says something", async () => {
    const bytes = JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [] });
    registry.current.fail(/manifests/, faults.body(bytes, { "content-type": "application/json; charset=utf-8" }));
    const fetched = await testClient().fetchManifest(reference(), signal);
    expect(fetched.descriptor).toEqual({ mediaType: mediaTypes.ociIndex, digest: digestOf(bytes), size: bytes.length });
  });

  test("ignores a digest by an algorithm it does not know", async () => {
    const { manifest } = registry.current.addImage("latest");
    const bytes = Buffer.from((await testClient().fetchManifest(reference(), signal)).bytes);
    const headers = { "content-type": mediaTypes.ociManifest, "docker-content-digest": `sha512:${"a".repeat(128)}` };
    registry.current.fail(/manifests/, faults.body(bytes, headers));
    expect((await testClient().fetchManifest(reference(), signal)).descriptor.digest).toBe(manifest.digest);
  });

  const document = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [] };
  const body = (
    value: unknown,
    headers: Readonly<Record<string, string>> = { "content-type": mediaTypes.ociIndex },
  ): Fault => faults.body(typeof value === "string" ? value : JSON.stringify(value), headers);
  test.each<[string, Fault, string, string]>([
    [
      "another digest in the header",
      body(document, { "content-type": mediaTypes.ociIndex, "docker-content-digest": digestOf("other") }),
      "BLOB_DIGEST_MISMATCH",
      "want sha256:",
    ],
    [
      "a digest in the header that is none",
      body(document, { "content-type": mediaTypes.ociIndex, "docker-content-digest": "sha256:../../x" }),
      "BLOB_DIGEST_MISMATCH",
      "want sha256:../../x",
    ],
    [
      "another Content-Type",
      body(document, { "content-type": mediaTypes.ociManifest }),
      "IMAGE_INVALID",
      "as announced",
    ],
    ["no type at all", body({ schemaVersion: 2 }, {}), "IMAGE_INVALID", "mediaType: missing"],
    ["a web page", body("<html>", { "content-type": "text/html" }), "IMAGE_INVALID", "not valid JSON"],
    ["nothing", body(""), "IMAGE_INVALID", "not valid JSON"],
    ["manifest and index in one", body({ ...document, layers: [], config: {} }), "IMAGE_INVALID", "does not belong"],
    [
      "schema 1",
      body(
        { schemaVersion: 1, fsLayers: [] },
        { "content-type": "application/vnd.docker.distribution.manifest.v1+prettyjws" },
      ),
      "IMAGE_INVALID",
      "schema version 1",
    ],
    [
      "compressed bytes",
      body(document, { "content-type": mediaTypes.ociIndex, "content-encoding": "gzip" }),
      "SOURCE_INVALID",
      "encoding that was not asked for",
    ],
    [
      "an endless body",
      faults.endless({ "content-type": mediaTypes.ociIndex }),
      "BLOB_TOO_LARGE",
      "larger than 4194304 bytes",
    ],
    [
      "headers of 70 KiB",
      faults.status(200, { "x-big": "x".repeat(70 * 1024) }),
      "SOURCE_INVALID",
      "HPE_HEADER_OVERFLOW",
    ],
    ["418", faults.status(418), "SOURCE_INVALID", "answered 418"],
  ])("refuses %s", async (_name, fault, code, problem) => {
    registry.current.fail(/manifests/, fault);
    const start = performance.now();
    const error = await rejectionOf(testClient().fetchManifest(reference(), signal));
    expect(error.code).toBe(code);
    expect(error.message).toContain(problem);
    expect(performance.now() - start).toBeLessThan(30_000);
  });
});

describe("headManifest", () => {
  test("describes what a tag leads to", async () => {
    const { manifest } = registry.current.addImage("v1");
    expect(await testClient().headManifest(reference(":v1"), signal)).toEqual(manifest);
    expect(registry.current.log).toEqual(["HEAD /v2/ns/app/manifests/v1"]);
  });

  test.each([
    ["no digest", { "content-type": mediaTypes.ociManifest, "content-length": "10" }],
    [
      "no length",
      {
        "content-type": mediaTypes.ociManifest,
        "docker-content-digest": digestOf("x"),
        "transfer-encoding": "chunked",
      },
    ],
    ["no type", { "content-length": "10", "docker-content-digest": digestOf("x") }],
    [
      "a type that is no image",
      { "content-type": "text/html", "content-length": "10", "docker-content-digest": digestOf("x") },
    ],
  ])("says nothing when the registry gives %s", async (_name, headers) => {
    registry.current.fail(/^HEAD/, faults.status(200, headers));
    expect(await testClient().headManifest(reference(), signal)).toBeNull();
  });

  test("says nothing when another digest comes than was asked for", async () => {
    registry.current.fail(
      /^HEAD/,
      faults.status(200, {
        "content-type": mediaTypes.ociManifest,
        "content-length": "10",
        "docker-content-digest": digestOf("y"),
      }),
    );
    expect(await testClient().headManifest(reference(`@${digestOf("x")}`), signal)).toBeNull();
  });
});

describe("wrong bytes", () => {
  const content = Buffer.from("the content of a blob");
  const flipped = Buffer.from(content);
  flipped[3] = 0;
  const rows: [string, Buffer, Readonly<Record<string, string>>, string][] = [
    ["a flipped bit", flipped, {}, "BLOB_DIGEST_MISMATCH"],
    ["a byte too few", content.subarray(1), {}, "BLOB_DIGEST_MISMATCH"],
    ["a byte too many", Buffer.concat([content, content.subarray(0, 1)]), {}, "BLOB_TOO_LARGE"],
    [
      "a byte too many, announced",
      Buffer.concat([content, content.subarray(0, 1)]),
      { "content-length": String(content.length + 1) },
      "BLOB_DIGEST_MISMATCH",
    ],
    ["nothing", Buffer.alloc(0), {}, "BLOB_DIGEST_MISMATCH"],
    ["less than announced", content.subarray(5), { "content-length": String(content.length) }, "SOURCE_UNAVAILABLE"],
  ];

  test.each(rows)("of a blob are refused: %s", async (_name, bytes, headers, code) => {
    const blob = registry.current.addBlob(content);
    registry.current.fail(/blobs/, (_request, response) => {
      response.writeHead(200, headers);
      response.write(bytes, () => (headers["content-length"] === undefined ? response.end() : response.destroy()));
    });
    const error = await rejectionOf(testClient().fetchBlob(reference(), blob, 1000, signal));
    expect(error.code).toBe(code);
  });

  test.each(rows.slice(0, 5))("of a manifest asked for by digest are refused: %s", async (_name, bytes) => {
    registry.current.fail(/manifests/, faults.body(bytes, { "content-type": mediaTypes.ociManifest }));
    const error = await rejectionOf(testClient().fetchManifest(reference(`@${digestOf(content)}`), signal));
    expect(error.code).toBe("BLOB_DIGEST_MISMATCH");
  });

  test("are refused once, and the next good answer is taken", async () => {
    const blob = registry.current.addBlob(content);
    registry.current.fail(/blobs/, faults.body(flipped), 1);
    const client = testClient();
    expect((await rejectionOf(client.fetchBlob(reference(), blob, 1000, signal))).code).toBe("BLOB_DIGEST_MISMATCH");
    expect(Buffer.from(await client.fetchBlob(reference(), blob, 1000, signal))).toEqual(content);
  });
});

test("a blob above the limit is not asked for", async () => {
  const blob = registry.current.addBlob("content");
  expect((await rejectionOf(testClient().fetchBlob(reference(), blob, 6, signal))).code).toBe("BLOB_TOO_LARGE");
  expect(registry.current.requests).toEqual([]);
});

test("a blob of zero bytes is a blob", async () => {
  const blob = registry.current.addBlob("");
  expect(await collect(await testClient().openBlob(reference(), blob, signal))).toHaveLength(0);
});

describe("a registry with a problem", () => {
  test.each<[string, Fault, string, string, string]>([
    [
      "404",
      faults.status(404),
      "SOURCE_NOT_FOUND",
      "ns/app:latest: not found (registry 127.0.0.1:",
      "check the name and the tag",
    ],
    ["403", faults.status(403), "SOURCE_UNAUTHORIZED", "access denied", "tsbuild login 127.0.0.1:"],
    [
      "401 without a way to log in",
      faults.status(401),
      "SOURCE_UNAUTHORIZED",
      "answered 401",
      "tsbuild login 127.0.0.1:",
    ],
    ["429", faults.status(429), "SOURCE_RATE_LIMITED", "too many requests", "tsbuild login"],
    ["503", faults.status(503), "SOURCE_UNAVAILABLE", "answered 503", "build again later"],
    ["a cut connection", faults.reset(), "SOURCE_UNAVAILABLE", "connection reset", "check that the registry runs"],
  ])("is told: %s", async (_name, fault, code, problem, hint) => {
    registry.current.fail(/manifests/, fault);
    const error = await rejectionOf(testClient().fetchManifest(reference(), signal));
    expect(error.code).toBe(code);
    expect(error.message).toContain(problem);
    expect(error.hint).toContain(hint);
  });

  test.each([
    ["429", faults.status(429)],
    ["408", faults.status(408)],
    ["500", faults.status(500)],
    ["503", faults.status(503)],
    ["a cut connection", faults.reset()],
  ])("is asked again after %s", async (_name, fault) => {
    const { manifest } = registry.current.addImage("latest");
    registry.current.fail(/manifests/, fault, 2);
    const retry = instantRetries(3);
    expect((await testClient({ retry }).fetchManifest(reference(), signal)).descriptor).toEqual(manifest);
    expect(retry.pauses).toEqual([50, 100]);
  });

  test("is given the pause it asks for, but not any pause", async () => {
    registry.current.addImage("latest");
    registry.current.fail(/manifests/, faults.status(429, { "retry-after": "7" }), 1);
    const retry = instantRetries(3);
    await testClient({ retry }).fetchManifest(reference(), signal);
    expect(retry.pauses).toEqual([7000]);
    registry.current.fail(/manifests/, faults.status(429, { "retry-after": "3600" }), 1);
    expect((await rejectionOf(testClient({ retry }).fetchManifest(reference(), signal))).code).toBe(
      "SOURCE_RATE_LIMITED",
    );
    expect(retry.pauses).toHaveLength(1);
  });

  test("is not asked again after 404 and 403", async () => {
    registry.current.fail(/x/, faults.status(403));
    await rejectionOf(testClient().fetchManifest(reference(":x"), signal));
    await rejectionOf(testClient().fetchManifest(reference(":y"), signal));
    expect(registry.current.log).toHaveLength(2);
  });

  test("that does not run is named with its port", async () => {
    const { host } = registry.current;
    const image = reference();
    await registry.current.close();
    const error = await rejectionOf(testClient().fetchManifest(image, signal));
    expect(error.code).toBe("SOURCE_UNAVAILABLE");
    expect(error.message).toBe(`registry ${host}: connection refused`);
  });

  test("that says nothing is left after a while", async () => {
    registry.current.fail(/manifests/, () => {});
    const error = await rejectionOf(
      testClient({ idleTimeoutMs: 30, retry: instantRetries(1) }).fetchManifest(reference(), signal),
    );
    expect(error.message).toContain("no answer in time");
  });

  test("is quoted with its error codes, not with its words", async () => {
    const error = await rejectionOf(testClient().fetchManifest(reference(), signal));
    expect(error.message).toContain("answered 404 MANIFEST_UNKNOWN");
    expect(error.message).not.toContain("secret");
  });

  test("is not listened to when it explains itself endlessly", async () => {
    registry.current.fail(/manifests/, faults.endless({}, 404));
    expect((await rejectionOf(testClient().fetchManifest(reference(), signal))).code).toBe("SOURCE_NOT_FOUND");
  });
});

test("an abort ends a request at once", async () => {
  const controller = new AbortController();
  registry.current.fail(/manifests/, () => controller.abort());
  expect((await rejectionOf(testClient().fetchManifest(reference(), controller.signal))).code).toBe("BUILD_CANCELLED");
});
