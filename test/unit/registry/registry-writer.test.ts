import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { digestOf } from "../../../src/base/digest.ts";
import type { Descriptor } from "../../../src/image/descriptor.ts";
import { serializeManifest } from "../../../src/image/manifest.ts";
import { mediaTypes } from "../../../src/image/media-types.ts";
import { parseReference } from "../../../src/image/reference.ts";
import type { BlobArrival } from "../../../src/registry/blob-upload.ts";
import { uploadPieceBytes } from "../../../src/registry/limits.ts";
import type { PushBlob, PushContent, PushManifest } from "../../../src/registry/push-content.ts";
import { RegistryWriter } from "../../../src/registry/registry-writer.ts";

import { faults, type RegistryAuth, TestRegistry } from "../../support/registry.ts";
import { credentialsOf, instantRetries, type TestClientOptions, testWriter } from "../../support/registry-client.ts";
import { ScriptedTransport } from "../../support/scripted-transport.ts";
import { rejectionOf } from "../../support/thrown-by.ts";
import { useRegistry } from "../../support/use-registry.ts";

const signal = new AbortController().signal;
const registry = useRegistry();
const password = { kind: "password", username: "me", password: "s3cret" } as const;

const descriptorOf = (mediaType: string, bytes: Uint8Array): Descriptor => ({
  mediaType,
  digest: digestOf(bytes),
  size: bytes.length,
});

function blobOf(mediaType: string, bytes: Buffer, origins: readonly string[] = []): PushBlob {
  return {
    descriptor: descriptorOf(mediaType, bytes),
    async *open(start, end) {
      for (let at = start; at < end; at += 64 * 1024) yield bytes.subarray(at, Math.min(end, at + 64 * 1024));
    },
    verify: async () => {},
    origins,
  };
}

function contentOf(layer: Buffer, origins: readonly string[] = []): PushContent {
  const config = blobOf(mediaTypes.ociConfig, Buffer.from(`{"of":"${digestOf(layer)}"}`));
  const blob = blobOf(mediaTypes.ociLayer, layer, origins);
  const bytes = serializeManifest({
    mediaType: mediaTypes.ociManifest,
    config: config.descriptor,
    layers: [blob.descriptor],
    annotations: new Map(),
  });
  const root: PushManifest = { descriptor: descriptorOf(mediaTypes.ociManifest, bytes), bytes };
  return { blobs: [config, blob], manifests: [], root };
}

/** Pushes `content` as ns/app:v1; how its blobs arrived, in the order of `content`. */
async function push(
  content: PushContent,
  options: TestClientOptions = {},
  to = registry.current,
): Promise<readonly (BlobArrival | undefined)[]> {
  const arrivals = new Map<PushBlob, BlobArrival>();
  const reference = parseReference(`${to.host}/ns/app:v1`);
  const writer = testWriter(options);
  const arrived = (blob: PushBlob, how: BlobArrival): void => void arrivals.set(blob, how);
  await writer.upload(reference, content, { sent: () => {}, arrived }, signal);
  await writer.tag(reference, content, signal);
  return content.blobs.map((blob) => arrivals.get(blob));
}

const methodsOf = ({ log }: TestRegistry, pattern: RegExp): readonly string[] =>
  log.filter((line) => pattern.test(line)).map((line) => line.split(" ")[0] ?? "");

const small = Buffer.from("a layer");
const large = randomBytes(2 * uploadPieceBytes + 12_345);

describe("a push", () => {
  test("uploads what is not there, the manifest last, and asks for everything it wrote", async () => {
    const content = contentOf(small);
    expect(await push(content)).toEqual(["uploaded", "uploaded"]);
    for (const { descriptor } of content.blobs) expect(registry.current.blob(descriptor.digest)).not.toBeNull();
    expect(registry.current.manifest("v1")).toEqual(content.root.bytes);
    expect(registry.current.log.slice(-2)).toEqual(["PUT /v2/ns/app/manifests/v1", "HEAD /v2/ns/app/manifests/v1"]);
  });

  test("sends no byte of what is there", async () => {
    const content = contentOf(small);
    await push(content);
    registry.current.requests.length = 0;
    expect(await push(content)).toEqual(["was there", "was there"]);
    expect(methodsOf(registry.current, /blobs/)).toEqual(["HEAD", "HEAD"]);
  });

  test("of many blobs gives no warning about listeners", async () => {
    const warnings: Error[] = [];
    const listen = (warning: Error): void => void warnings.push(warning);
    process.on("warning", listen);
    const layers = Array.from({ length: 30 }, (_, at) => blobOf(mediaTypes.ociLayer, Buffer.from(`layer ${at}`)));
    const content = contentOf(small);
    await push({ ...content, blobs: [...content.blobs, ...layers] });
    process.off("warning", listen);
    expect(warnings).toEqual([]);
  });

  test("has a layer taken over from the repository it came from", async () => {
    const content = contentOf(small, [`${registry.current.host}/library/base`]);
    const layer = content.blobs[1]?.descriptor.digest ?? "";
    registry.current.addBlob(small);
    registry.current.fail(/^HEAD .*blobs/, faults.status(404), 2);
    expect(await push(content)).toEqual(["uploaded", "mounted"]);
    expect(registry.current.log).toContain(
      `POST /v2/ns/app/blobs/uploads/?mount=${encodeURIComponent(layer)}&from=library%2Fbase`,
    );
  });

  test.each([400, 401, 403, 404, 405, 500])("uploads a layer when taking it over is answered %i", async (status) => {
    registry.current.fail(/mount=/, faults.status(status));
    expect(await push(contentOf(small, [`${registry.current.host}/library/base`]))).toEqual(["uploaded", "uploaded"]);
  });

  test("continues the upload that a registry began instead of taking over", async () => {
    await push(contentOf(small, [`${registry.current.host}/library/base`]));
    expect(registry.current.log.filter((line) => line.startsWith("POST"))).toHaveLength(2);
  });

  test("puts the manifests of an index before the index", async () => {
    const one = contentOf(Buffer.from("one"));
    const two = contentOf(Buffer.from("two"));
    const bytes = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: mediaTypes.ociIndex,
        manifests: [one.root.descriptor, two.root.descriptor],
      }),
    );
    const root = { descriptor: descriptorOf(mediaTypes.ociIndex, bytes), bytes };
    await push({ blobs: [...one.blobs, ...two.blobs], manifests: [one.root, two.root], root });
    expect(registry.current.manifest("v1")).toEqual(bytes);
    expect(registry.current.manifest(one.root.descriptor.digest)).toEqual(one.root.bytes);
  });
});

describe("an upload that breaks", () => {
  test("is continued where the registry says it is", async () => {
    registry.current.cutUploads(/PUT/, uploadPieceBytes, true);
    expect(await push(contentOf(large))).toEqual(["uploaded", "uploaded"]);
    const first = registry.current.requests.find(({ method }) => method === "PATCH");
    expect(Number(String(first?.headers["content-range"]).split("-")[0])).toBeGreaterThanOrEqual(uploadPieceBytes);
    expect(registry.current.blob(digestOf(large))?.equals(large)).toBe(true);
  });

  test.each([
    ["lost everything", () => registry.current.cutUploads(/PUT/, uploadPieceBytes, false)],
    ["breaks twice", () => registry.current.cutUploads(/PUT|PATCH/, 1_000_000, true, 2)],
    ["wants less at once", () => registry.current.fail(/^PUT .*uploads/, faults.status(413), 2)],
    ["forgot the upload", () => registry.current.fail(/^PUT .*uploads/, faults.status(404), 2)],
    ["says 416", () => registry.current.fail(/^P(UT|ATCH) .*uploads/, faults.status(416), 3)],
    ["says 503", () => registry.current.fail(/^PUT .*uploads/, faults.status(503), 2)],
    [
      "says it has more than was sent",
      () => {
        registry.current.fail(/^PUT .*uploads/, faults.status(503), 2);
        registry.current.fail(/^PATCH/, faults.status(202, { range: "0-999999999" }), 1);
      },
    ],
    [
      "knows nothing of an upload that is asked about",
      () => {
        registry.current.fail(/^PUT .*uploads/, faults.reset(), 2);
        registry.current.fail(/^GET .*uploads/, faults.status(404));
      },
    ],
  ] as const)("is completed all the same: the registry %s", async (_, prepare) => {
    prepare();
    await push(contentOf(large), { retry: instantRetries(6) });
    expect(registry.current.blob(digestOf(large))?.equals(large)).toBe(true);
  });

  test("ends after some attempts", async () => {
    registry.current.cutUploads(/PUT|PATCH/, 1000, false, 100);
    const error = await rejectionOf(push(contentOf(large)));
    expect(error).toMatchObject({ code: "SOURCE_UNAVAILABLE" });
    expect(registry.current.manifest("v1")).toBeNull();
  });

  test("waits as long as the registry asks for", async () => {
    const retry = instantRetries();
    registry.current.fail(/^PUT .*manifests/, faults.status(429, { "retry-after": "7" }), 1);
    await push(contentOf(small), { retry });
    expect(retry.pauses).toEqual([7000]);
  });
});

describe("a registry that is not to be believed", () => {
  test("has not got a blob it said it took", async () => {
    registry.current.fail(/^PUT .*uploads/, faults.status(201));
    const error = await rejectionOf(push(contentOf(small)));
    expect(error).toMatchObject({ code: "SOURCE_INVALID" });
    expect(error.message).toContain("does not have it");
    expect(registry.current.log.join()).not.toContain("manifests");
  });

  test("stores a blob under another digest", async () => {
    registry.current.fail(/^PUT .*uploads/, faults.status(201, { "docker-content-digest": digestOf("x") }));
    const error = await rejectionOf(push(contentOf(small)));
    expect(error).toMatchObject({ code: "SOURCE_INVALID" });
    expect(error.message).toContain(digestOf("x"));
  });

  test.each([
    [
      "has another manifest under the tag",
      faults.status(200, { "docker-content-digest": digestOf("x") }),
      digestOf("x"),
    ],
    ["has no manifest under the tag", faults.status(404), "nothing"],
  ])("%s", async (_, fault, got) => {
    registry.current.fail(/^HEAD .*manifests/, fault);
    const error = await rejectionOf(push(contentOf(small)));
    expect(error).toMatchObject({ code: "SOURCE_INVALID" });
    expect(error.message).toContain(`now has ${got}`);
  });

  test.each([
    ["https://elsewhere.example/upload/1", "https://elsewhere.example"],
    ["http://10.0.0.1/upload/1", "http://10.0.0.1"],
    ["http://me:pw@HOST/v2/ns/app/blobs/uploads/1", "credentials"],
    ["file:///etc/passwd", "file:"],
  ])("sends an upload to %s and gets no byte of it", async (location, told) => {
    const to = location.replace("HOST", registry.current.host);
    registry.current.fail(/^POST/, faults.status(202, { location: to }));
    const error = await rejectionOf(push(contentOf(small)));
    expect(error).toMatchObject({ code: "SOURCE_INVALID" });
    expect(error.message).toContain(told);
    expect(methodsOf(registry.current, /^(PUT|PATCH)/)).toEqual([]);
  });

  test("redirects an upload and gets no byte of it elsewhere", async () => {
    const other = await TestRegistry.start();
    registry.current.fail(/^(POST|PUT)/, faults.redirect(`http://${other.host}/v2/ns/app/blobs/uploads/`));
    expect(await rejectionOf(push(contentOf(small)))).toMatchObject({ code: "SOURCE_INVALID" });
    expect(other.log).toEqual([]);
    await other.close();
  });

  test("is asked over https unless it is this machine or the settings say so", async () => {
    const transport = new ScriptedTransport(() => ({ status: 200 }));
    const writer = new RegistryWriter(transport, credentialsOf({}), new Map(), instantRetries());
    const progress = { sent: () => {}, arrived: () => {} };
    await writer.upload({ registry: "r.example", repository: "ns/app" }, contentOf(small), progress, signal);
    expect(transport.requests.map(({ url }) => url.protocol)).toEqual(["https:", "https:"]);
  });
});

describe("the right to push", () => {
  const auth: RegistryAuth = { kind: "bearer", user: { name: "me", password: "s3cret" } };
  const withRegistry = async (work: (started: TestRegistry) => Promise<void>): Promise<void> => {
    const started = await TestRegistry.start(auth);
    try {
      await work(started);
    } finally {
      await started.close();
    }
  };

  test("is asked of the token server once, with push", () =>
    withRegistry(async (started) => {
      await push(contentOf(small), { credentials: credentialsOf({ [started.host]: password }) }, started);
      const tokens = started.log.filter((line) => line.includes("/token"));
      expect(tokens).toEqual(["GET /token?service=test&scope=repository%3Ans%2Fapp%3Apull%2Cpush"]);
    }));

  test("is asked for anew when it ends in the middle", () =>
    withRegistry(async (started) => {
      started.fail(
        /^PUT .*manifests/,
        (_request, _response, answer) => {
          started.expireTokens();
          answer();
        },
        1,
      );
      await push(contentOf(small), { credentials: credentialsOf({ [started.host]: password }) }, started);
      expect(started.log.filter((line) => line.includes("/token"))).toHaveLength(2);
      expect(started.manifest("v1")).not.toBeNull();
    }));

  test("is missing: the error says how to log in", () =>
    withRegistry(async (started) => {
      const error = await rejectionOf(push(contentOf(small), {}, started));
      expect(error).toMatchObject({ code: "SOURCE_UNAUTHORIZED" });
      expect(error.hint).toBe(`log in as somebody who may push to ns/app: tsbuild login ${started.host}`);
    }));
});
