import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { digestOf } from "../../../src/base/digest.ts";
import { isImageEntry, parseImageIndex, serializeImageIndex } from "../../../src/image/image-index.ts";
import { parseImageRoot } from "../../../src/image/image-root.ts";
import { parseManifest, serializeManifest } from "../../../src/image/manifest.ts";
import { mediaTypes } from "../../../src/image/media-types.ts";
import { thrownBy } from "../../support/thrown-by.ts";

const digest = digestOf("x");
const config = { mediaType: mediaTypes.ociConfig, digest, size: 10 };
const layer = { mediaType: mediaTypes.ociLayerGzip, digest, size: 20 };
const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [layer] };
const index = {
  schemaVersion: 2,
  mediaType: mediaTypes.ociIndex,
  manifests: [{ ...config, mediaType: mediaTypes.ociManifest }],
};
const bytesOf = (document: object): Buffer => Buffer.from(JSON.stringify(document));
const fixture = (name: string): Buffer => readFileSync(new URL(`../../../fixtures/image/${name}`, import.meta.url));

describe("a manifest", () => {
  test("is written with the bytes BuildKit writes", () => {
    const annotations = new Map([
      ["z", "<1>"],
      ["__proto__", "2"],
    ]);
    const bytes = serializeManifest({
      mediaType: mediaTypes.ociManifest,
      config,
      layers: [layer, { ...layer, annotations: { b: "1", a: "2" } }],
      annotations,
    });
    expect(Buffer.from(bytes).toString()).toBe(fixture("manifest.golden.json").toString().trimEnd());
    expect(parseManifest(bytes, mediaTypes.ociManifest).annotations).toEqual(annotations);
  });

  test("without layers has an empty list", () => {
    const bytes = serializeManifest({
      mediaType: mediaTypes.dockerManifest,
      config,
      layers: [],
      annotations: new Map(),
    });
    expect(JSON.parse(Buffer.from(bytes).toString()).layers).toEqual([]);
    expect(parseManifest(bytes, null).layers).toEqual([]);
  });

  test.each([
    ["its type only announced", { ...manifest, mediaType: undefined }, mediaTypes.ociManifest],
    ["its type only declared", manifest, null],
    ["docker's type", { ...manifest, mediaType: mediaTypes.dockerManifest }, mediaTypes.dockerManifest],
    ["no layers", { ...manifest, layers: undefined }, null],
    ["layers that are null", { ...manifest, layers: null }, null],
    ["a layer of zero bytes", { ...manifest, layers: [{ ...layer, size: 0 }] }, null],
    ["a layer of an unknown type", { ...manifest, layers: [{ ...layer, mediaType: "application/x" }] }, null],
    [
      "docker layers in an OCI manifest",
      { ...manifest, layers: [{ ...layer, mediaType: mediaTypes.dockerLayerGzip }] },
      null,
    ],
    [
      "embedded data and addresses",
      { ...manifest, layers: [{ ...layer, data: "eA==", urls: ["http://evil/"] }] },
      null,
    ],
    ["members of the future", { ...manifest, subject: { x: 1 }, artifactType: "a", more: [] }, null],
  ])("may have %s", (_name, document, announced) => {
    const parsed = parseManifest(bytesOf(document), announced);
    expect(parsed.config.digest).toBe(digest);
    for (const parsedLayer of parsed.layers) expect(Object.keys(parsedLayer)).toEqual(["mediaType", "digest", "size"]);
  });

  const refused: [string, object | string, string | null, string][] = [
    ["also an index", { ...manifest, manifests: [] }, null, "manifests: does not belong"],
    ["also an index, announced as one", { ...manifest, manifests: [] }, mediaTypes.ociIndex, "as announced"],
    ["of another type than announced", manifest, mediaTypes.dockerManifest, "as announced"],
    ["of no type", { ...manifest, mediaType: undefined }, null, "mediaType: missing"],
    ["an index", index, null, "mediaType: unexpected"],
    ["of schema 1", { schemaVersion: 1, fsLayers: [], history: [] }, null, "schema version 1 is not supported"],
    ["of schema 1 in disguise", { ...manifest, fsLayers: [] }, null, "schema version 1 is not supported"],
    ["of schema 3", { ...manifest, schemaVersion: 3 }, null, "schemaVersion: got 3, want 2"],
    ["of no schema", { ...manifest, schemaVersion: undefined }, null, "schemaVersion: missing"],
    ["without config", { ...manifest, config: undefined }, null, "config: missing"],
    [
      "of something else",
      { ...manifest, config: { ...config, mediaType: "application/vnd.x" } },
      null,
      "is not an image config",
    ],
    ["with a huge config", { ...manifest, config: { ...config, size: 5e6 } }, null, "config.size: got 5000000"],
    ["with layers as an object", { ...manifest, layers: { 0: layer } }, null, "layers: got an object"],
    ["with a layer that is null", { ...manifest, layers: [null] }, null, "layers[0]: got null"],
    [
      "with a size in quotes",
      { ...manifest, layers: [{ ...layer, size: "20" }] },
      null,
      "layers[0].size: got a string",
    ],
    ["with a negative size", { ...manifest, layers: [{ ...layer, size: -1 }] }, null, "layers[0].size: got -1"],
    ["with half a byte", { ...manifest, layers: [{ ...layer, size: 1.5 }] }, null, "layers[0].size: got 1.5"],
    ["without size", { ...manifest, layers: [{ ...layer, size: undefined }] }, null, "layers[0].size: missing"],
    [
      "with a rounded size",
      JSON.stringify(manifest).replace(":20", ":9007199254740993"),
      null,
      "layers[0].size: got 900719925474099",
    ],
    ["with an endless size", JSON.stringify(manifest).replace(":20", ":1e400"), null, "layers[0].size: got Infinity"],
    ["with config twice", JSON.stringify(manifest).replace("{", '{"config":{},'), null, 'key "config" occurs twice'],
    ["with text behind it", `${JSON.stringify(manifest)}x`, null, "not valid JSON"],
    ["behind a byte order mark", `\ufeff${JSON.stringify(manifest)}`, null, "byte order mark"],
    ["null", "null", null, "want a JSON object"],
  ];
  test.each(refused)("is refused when it is %s", (_name, document, announced, problem) => {
    const bytes = typeof document === "string" ? Buffer.from(document) : bytesOf(document);
    const error = thrownBy(() => parseManifest(bytes, announced, "manifest of x"));
    expect(error.code).toBe("IMAGE_INVALID");
    expect(error.message).toContain(problem);
    expect(error.message).toMatch(/^manifest of x: /);
  });

  test.each([
    "sha256:../../x",
    `sha256:${"a".repeat(63)}`,
    digest.toUpperCase(),
    `md5:${"a".repeat(32)}`,
    `${digest}\0`,
    `sha512:${"a".repeat(128)}`,
    "",
    "latest",
  ])("does not take %j for a digest", (text) => {
    const document = { ...manifest, layers: [{ ...layer, digest: text }] };
    expect(thrownBy(() => parseManifest(bytesOf(document), null)).message).toContain("layers[0].digest: ");
  });
});

describe("an index", () => {
  const platform = { os: "linux", architecture: "arm64", variant: "v8" };

  test("is written with the bytes BuildKit writes", () => {
    const [first] = index.manifests;
    if (first === undefined) throw new Error("index has no entry");
    const normal = { os: "linux", architecture: "arm", variant: "v7", osVersion: "" };
    const bytes = serializeImageIndex({
      mediaType: mediaTypes.ociIndex,
      manifests: [
        { ...first, platform: normal },
        {
          ...first,
          annotations: { "vnd.docker.reference.type": "attestation-manifest" },
          platform: { ...normal, variant: "", osVersion: "1" },
        },
      ],
      annotations: new Map(),
    });
    expect(Buffer.from(bytes).toString()).toBe(fixture("index.golden.json").toString().trimEnd());
    expect(parseImageIndex(bytes, mediaTypes.ociIndex).manifests[0]?.platform).toEqual(normal);
  });

  test("has its platforms normalised", () => {
    const document = { ...index, manifests: [{ ...index.manifests[0], platform }] };
    expect(parseImageIndex(bytesOf(document), null).manifests[0]?.platform?.variant).toBe("");
  });

  test.each([
    ["a config", { ...index, config }, "config: does not belong"],
    ["layers", { ...index, layers: [] }, "layers: does not belong"],
    [
      "a platform that is a text",
      { ...index, manifests: [{ ...index.manifests[0], platform: "linux/amd64" }] },
      "platform: got a string",
    ],
  ])("is refused with %s", (_name, document, problem) => {
    expect(thrownBy(() => parseImageIndex(bytesOf(document), null)).message).toContain(problem);
  });

  test("of more than 4 MiB is refused", () => {
    const many = { ...index, manifests: Array.from({ length: 100_000 }, () => index.manifests[0]) };
    expect(thrownBy(() => parseImageIndex(bytesOf(many), null)).message).toContain("want at most 4194304");
  });

  test("tells images from attestations", () => {
    const annotations = { "vnd.docker.reference.type": "attestation-manifest" };
    const unknown = { os: "unknown", architecture: "unknown" };
    const manifests = [{ annotations }, { platform: unknown }, { platform }, {}].map((more) => ({
      ...index.manifests[0],
      ...more,
    }));
    expect(parseImageIndex(bytesOf({ ...index, manifests }), null).manifests.map(isImageEntry)).toEqual([
      false,
      false,
      true,
      true,
    ]);
  });

  test("keeps annotations with names of Object's members apart from them", () => {
    const text = JSON.stringify(index).replace('"size"', '"annotations":{"__proto__":"a"},"size"');
    const [entry] = parseImageIndex(Buffer.from(text), null).manifests;
    expect(Object.entries(entry?.annotations ?? {})).toEqual([["__proto__", "a"]]);
    expect(entry?.annotations?.toString).toBeUndefined();
  });
});

test("a document is read as what it was announced as, or else as what it says", () => {
  expect(parseImageRoot(bytesOf(index), null, "x").kind).toBe("index");
  expect(parseImageRoot(bytesOf(manifest), mediaTypes.ociManifest, "x").kind).toBe("manifest");
  expect(thrownBy(() => parseImageRoot(bytesOf(index), mediaTypes.ociManifest, "x")).code).toBe("IMAGE_INVALID");
  expect(thrownBy(() => parseImageRoot(bytesOf({ schemaVersion: 2 }), null, "x")).message).toContain(
    "mediaType: missing",
  );
});
