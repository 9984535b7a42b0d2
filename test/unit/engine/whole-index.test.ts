import { beforeEach, describe, expect, test } from "vitest";
import type { ProgressSink } from "../../../src/base/build-event.ts";
import { digestOf } from "../../../src/base/digest.ts";
import { createIndex } from "../../../src/engine/create-index.ts";
import { findManifest } from "../../../src/engine/find-manifest.ts";
import { pullImage } from "../../../src/engine/pull-image.ts";
import { pushStoredImages } from "../../../src/engine/push-stored-images.ts";
import { pushToRegistries } from "../../../src/engine/push-to-registries.ts";
import { parseImageIndex } from "../../../src/image/image-index.ts";
import { mediaTypes } from "../../../src/image/media-types.ts";
import { type Platform, parsePlatform } from "../../../src/image/platform.ts";
import { imageStoreOutput } from "../../../src/output/image-store-output.ts";
import { makeOciImage } from "../../../src/output/oci-image.ts";
import { usualOciOptions } from "../../../src/output/stored-oci-image.ts";
import { RegistryBlobs } from "../../../src/registry/registry-blobs.ts";
import { openLayerStore } from "../../../src/store/open-layer-store.ts";
import { prune } from "../../../src/store/prune.ts";
import { file } from "../../support/layer-builder.ts";
import { collect, testClient, testWriter } from "../../support/registry-client.ts";
import { useStoredImages } from "../../support/stored-images.ts";
import { rejectionOf } from "../../support/thrown-by.ts";
import { useRegistry } from "../../support/use-registry.ts";

const registry = useRegistry();
/** Where images are made, and where they are pulled. */
const origin = useStoredImages();
const here = useStoredImages();
const signal = new AbortController().signal;
const sink: ProgressSink = { emit: () => {} };
const arm64 = parsePlatform("linux/arm64");
const amd64 = parsePlatform("linux/amd64");
const name = (text: string): string => `${registry.current.host}/${text}`;
const usual = { platforms: [], allTags: false, compression: usualOciOptions.compression };

/** Bytes of an index as no program of ours writes it. */
let indexBytes: Buffer;
let attestation: string;

/** Puts an image of two platforms into the registry, with an attestation about the first. */
beforeEach(async () => {
  const images = [
    await origin.make("amd64", [file("f", "a")]),
    await origin.make("arm64", [file("f", "b")], [file("g", "c")]),
  ];
  const oci = await makeOciImage(images, usualOciOptions, origin.layers, signal);
  for (const { digest } of oci.layers) registry.current.addBlob(await collect(origin.store.blobs.read(digest)));
  for (const { config, descriptor } of oci.manifests) {
    registry.current.addBlob(Buffer.from(oci.documents.get(config.digest) ?? []));
    registry.current.addManifest(Buffer.from(oci.documents.get(descriptor.digest) ?? []), descriptor.mediaType, null);
  }
  const config = registry.current.addBlob("{}", mediaTypes.ociConfig);
  const statement = registry.current.addBlob('{"predicate":1}', "application/vnd.in-toto+json");
  const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [statement] };
  const attached = registry.current.addManifest(manifest, mediaTypes.ociManifest, null);
  attestation = attached.digest;
  const manifests = [
    ...oci.manifests.map(({ descriptor: { mediaType, digest, size, platform } }) => ({
      mediaType,
      digest,
      size,
      platform: { os: platform?.os, architecture: platform?.architecture },
    })),
    {
      ...attached,
      annotations: { "vnd.docker.reference.type": "attestation-manifest" },
      platform: { os: "unknown", architecture: "unknown" },
    },
  ];
  const index = { mediaType: mediaTypes.ociIndex, schemaVersion: 2, manifests, "x-own": true };
  indexBytes = Buffer.from(`${JSON.stringify(index, null, 7)}\n\n`);
  registry.current.addManifest(indexBytes, mediaTypes.ociIndex, "multi");
});

/** The layers of the store here, which fetches from the registry what it has not got. */
const openLayers = () => openLayerStore(here.store, here.runner, new RegistryBlobs(testClient()), () => {});

const pull = (platforms: readonly Platform[] | "all", from = name("ns/app:multi")) => {
  return pullImage(from, platforms, here.store, openLayers, testClient(), sink, signal);
};

async function push(to: string, platforms: readonly Platform[] = []): Promise<string> {
  const image = await here.store.images.get(name("ns/app:multi"));
  if (image === null) throw new Error("want the image that was pulled");
  await here.store.images.tag(name(to), image);
  const open = async () => testWriter();
  const given = { ...usual, platforms };
  const [receipt] = await pushStoredImages(
    [name(to)],
    given,
    here.store,
    openLayers(),
    pushToRegistries(open, sink),
    signal,
  );
  return receipt?.digest ?? "";
}

describe("an image of several platforms that was pulled whole", () => {
  test.each([
    ["by its index", "all"],
    ["platform by platform", [amd64, arm64]],
  ] as const)("%s is pushed with its own index, byte for byte, and the attestations in it", async (_how, platforms) => {
    await pull(platforms);
    expect(await push("other/app:again")).toBe(digestOf(indexBytes));
    expect(registry.current.manifest("again")?.equals(indexBytes)).toBe(true);
    expect(registry.current.log).toContain(`PUT /v2/other/app/manifests/${attestation}`);
  });

  test("keeps its attestations through a prune", async () => {
    await pull("all");
    await prune(here.store, { all: true, containers: false, unusedSinceMs: null, keepBytes: null }, signal, () => {});
    const image = await here.store.images.get(name("ns/app:multi"));
    expect(image?.attachments).toHaveLength(3);
    for (const digest of image?.attachments ?? [])
      expect((await collect(here.store.blobs.read(digest))).length).toBeGreaterThan(0);
  });

  test("is pushed without the index when one platform is chosen", async () => {
    await pull("all");
    const digest = await push("other/app:one", [arm64]);
    expect(parseImageIndex(indexBytes, null).manifests[1]?.digest).toBe(digest);
  });
});

test("an image of which one platform was pulled is pushed as the manifest it has", async () => {
  await pull([amd64]);
  expect(await push("other/app:one")).toBe(parseImageIndex(indexBytes, null).manifests[0]?.digest);
});

test("an attestation that cannot be had is no reason not to pull; the push writes an index without it", async () => {
  const statement = digestOf('{"predicate":1}');
  registry.current.removeBlob(statement);
  await pull("all");
  const digest = await push("other/app:again");
  const pushed = registry.current.manifest("again") ?? Buffer.alloc(0);
  expect(digestOf(pushed)).toBe(digest);
  expect(parseImageIndex(pushed, null).manifests.map(({ platform }) => platform?.architecture)).toEqual([
    "amd64",
    "arm64",
  ]);
});

test("all tags of a repository are pushed, and no others", async () => {
  const image = await here.make("amd64", [file("f", "x")]);
  const names = ["ns/app:1", "ns/app:2", "ns/other:3"].map(name);
  await imageStoreOutput(names, here.store.images, here.store.blobs, Date.now).write([image], signal);
  const all = { ...usual, allTags: true };
  const push = pushToRegistries(async () => testWriter(), sink);
  const receipts = await pushStoredImages([name("ns/app")], all, here.store, here.layers, push, signal);
  expect(receipts.map(({ reference }) => reference)).toEqual(names.slice(0, 2));
  expect(registry.current.manifest("3")).toBeNull();
  const tagged = pushStoredImages([name("ns/app:1")], all, here.store, here.layers, push, signal);
  expect(await rejectionOf(tagged)).toMatchObject({ code: "REFERENCE_INVALID" });
  const none = pushStoredImages([name("ns/none")], all, here.store, here.layers, push, signal);
  expect(await rejectionOf(none)).toMatchObject({ code: "IMAGE_NOT_FOUND" });
});

test("layers leave as they came unless another compression is forced; what was made here leaves as it is asked for", async () => {
  await pull([amd64]);
  const layerTypes = async (force: boolean, from: string): Promise<readonly string[]> => {
    const image = await here.store.images.get(from);
    if (image === null) throw new Error("want an image");
    await here.store.images.tag(name("other/app:plain"), image);
    const options = { ...usual, compression: { format: { compression: "none", level: null }, force } } as const;
    const push = pushToRegistries(async () => testWriter(), sink);
    await pushStoredImages([name("other/app:plain")], options, here.store, openLayers(), push, signal);
    const manifest = JSON.parse(String(registry.current.manifest("plain")));
    return manifest.layers.map(({ mediaType }: { readonly mediaType: string }) => mediaType);
  };
  expect(await layerTypes(false, name("ns/app:multi"))).toEqual([mediaTypes.ociLayerGzip]);
  expect(await layerTypes(true, name("ns/app:multi"))).toEqual([mediaTypes.ociLayer]);
  const image = await here.make("amd64", [file("f", "made here")]);
  await imageStoreOutput(["made:1"], here.store.images, here.store.blobs, Date.now).write([image], signal);
  expect(await layerTypes(false, "docker.io/library/made:1")).toEqual([mediaTypes.ociLayer]);
});

describe("an index", () => {
  const create = (
    sources: readonly { readonly name: string; readonly platform: Platform | null }[],
    annotations: Parameters<typeof createIndex>[2] = [],
  ) => {
    const workshop = { store: here.store, layers: openLayers(), tasks: here.runner };
    return createIndex(name("ns/app:multi"), sources, annotations, workshop, async () => testClient(), signal);
  };
  const local = async (text: string, architecture: string): Promise<string> => {
    const image = await here.make(architecture, [file("f", text)]);
    await imageStoreOutput([text], here.store.images, here.store.blobs, Date.now).write([image], signal);
    return text;
  };

  test("is made of images of the store and of a registry, of which only manifests and configs are fetched", async () => {
    const before = registry.current.log.length;
    const digest = await create([
      { name: await local("local:1", "s390x"), platform: null },
      { name: name("ns/app:multi"), platform: null },
    ]);
    const layerRequests = registry.current.log.slice(before).filter((line) => /GET .*\/blobs\//.test(line));
    // Two configs, and what the attestation consists of.
    expect(layerRequests).toHaveLength(4);
    expect(await push("other/app:again")).toBe(digest);
    const { manifests } = parseImageIndex(registry.current.manifest("again") ?? Buffer.alloc(0), null);
    expect(manifests.map(({ platform }) => platform?.architecture)).toEqual(["s390x", "amd64", "arm64", "unknown"]);
  });

  test("says of an image what it is told to, and carries annotations", async () => {
    const annotations = [
      { level: "index", platform: null, key: "of", value: "index" },
      { level: "manifest-descriptor", platform: "linux/arm/v7", key: "of", value: "entry" },
    ] as const;
    const sources = [
      { name: await local("a:1", "amd64"), platform: null },
      { name: await local("b:1", "amd64"), platform: parsePlatform("linux/arm/v7") },
    ];
    await create(sources, annotations);
    const workshop = { store: here.store, layers: here.layers, tasks: here.runner };
    const noClient = () => Promise.reject(new Error("nothing is asked of a registry"));
    const { bytes } = await findManifest(name("ns/app:multi"), false, workshop, noClient, signal);
    const index = parseImageIndex(bytes, null);
    expect([...index.annotations]).toEqual([["of", "index"]]);
    expect(index.manifests[1]).toMatchObject({
      platform: { architecture: "arm", variant: "v7" },
      annotations: { of: "entry" },
    });
    expect(index.manifests[0]?.annotations).toBeUndefined();
  });

  test("with two images for one platform, or a platform for an image of several, is refused", async () => {
    const one = { name: await local("a:1", "amd64"), platform: null };
    expect(await rejectionOf(create([one, { name: await local("b:1", "amd64"), platform: null }]))).toMatchObject({
      code: "USAGE_INVALID",
    });
    expect(await rejectionOf(create([{ name: name("ns/app:multi"), platform: amd64 }]))).toMatchObject({
      code: "USAGE_INVALID",
    });
    expect(await here.store.images.get(name("ns/app:multi"))).toBeNull();
  });
});
