import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { asDiffId, digestOf } from "../../../src/base/digest.ts";
import type { Descriptor } from "../../../src/image/descriptor.ts";
import { mediaTypes } from "../../../src/image/media-types.ts";
import { parsePlatform } from "../../../src/image/platform.ts";
import { parseReference } from "../../../src/image/reference.ts";
import { layoutSource, registrySource } from "../../../src/registry/image-source.ts";
import { type ResolvedImage, resolveImage } from "../../../src/registry/pull-image.ts";
import { RegistryBlobs } from "../../../src/registry/registry-blobs.ts";
import { faults, type TestImage } from "../../support/registry.ts";
import { collect, memoryBlobs, testClient } from "../../support/registry-client.ts";
import { rejectionOf } from "../../support/thrown-by.ts";
import { useRegistry } from "../../support/use-registry.ts";

const registry = useRegistry();
const signal = new AbortController().signal;
const pull = (suffix = "", platform = "linux/amd64", blobs = memoryBlobs()): Promise<ResolvedImage> => {
  const reference = parseReference(`${registry.current.host}/ns/app${suffix}`);
  return resolveImage(registrySource(testClient(), blobs, reference), parsePlatform(platform), signal);
};
const entry = (manifest: Descriptor, platform: string): object => {
  const { os, architecture, variant } = parsePlatform(platform);
  return { ...manifest, platform: { os, architecture, variant } };
};

describe("an image", () => {
  test("is resolved to manifest, config and layers, of which none is fetched", async () => {
    const added = registry.current.addImage("v1");
    const image = await pull(":v1");
    expect(image.root).toEqual(added.manifest);
    expect(image.manifest).toEqual(added.manifest);
    expect(image.imageId).toBe(added.config.digest);
    expect(digestOf(image.configBytes)).toBe(image.imageId);
    expect(image.config.config.Env).toEqual(["PATH=/bin"]);
    expect(image.layers).toEqual(added.layers.map((blob) => ({ blob, diffId: asDiffId(blob.digest) })));
    expect(image.origin).toBe(`${registry.current.host}/ns/app`);
    expect(registry.current.log.filter((line) => line.includes("/blobs/"))).toEqual([
      `GET /v2/ns/app/blobs/${added.config.digest}`,
    ]);
  });

  test("that did not move costs one request when it is resolved again", async () => {
    registry.current.addImage("v1");
    const blobs = memoryBlobs();
    const first = await pull(":v1", "linux/amd64", blobs);
    const before = registry.current.log.length;
    expect(await pull(":v1", "linux/amd64", blobs)).toEqual(first);
    expect(registry.current.log.slice(before)).toEqual(["HEAD /v2/ns/app/manifests/v1"]);
  });

  test("named by digest costs no request when it is resolved again", async () => {
    const { manifest } = registry.current.addImage(null);
    const blobs = memoryBlobs();
    const first = await pull(`@${manifest.digest}`, "linux/amd64", blobs);
    const before = registry.current.log.length;
    expect(await pull(`@${manifest.digest}`, "linux/amd64", blobs)).toEqual(first);
    expect(registry.current.log).toHaveLength(before);
  });

  test("that moved is fetched anew", async () => {
    const blobs = memoryBlobs();
    registry.current.addImage("v1");
    await pull(":v1", "linux/amd64", blobs);
    const moved = registry.current.addImage("v1", { layers: [Buffer.from("new")] });
    expect((await pull(":v1", "linux/amd64", blobs)).manifest).toEqual(moved.manifest);
  });

  test("may have no layers", async () => {
    registry.current.addImage("latest", { layers: [] });
    expect((await pull()).layers).toEqual([]);
  });

  test("may have ninety layers, also equal ones", async () => {
    registry.current.addImage("latest", {
      layers: Array.from({ length: 90 }, (_, at) => Buffer.from(`layer ${at % 7}`)),
    });
    expect((await pull()).layers).toHaveLength(90);
  });

  const id = digestOf("x");
  test.each<[string, TestImage, string, string]>([
    [
      "fewer diffIDs than layers",
      { config: { rootfs: { type: "layers", diff_ids: [id] } } },
      "IMAGE_INVALID",
      "got 1 diffIDs, want 2",
    ],
    [
      "more diffIDs than layers",
      { config: { rootfs: { type: "layers", diff_ids: [id, id, id] } } },
      "IMAGE_INVALID",
      "got 3 diffIDs, want 2",
    ],
    ["no diffIDs", { config: { rootfs: { type: "layers" } } }, "IMAGE_INVALID", "got 0 diffIDs, want 2"],
    ["a config that is no config", { config: { rootfs: undefined } }, "IMAGE_INVALID", "rootfs: missing"],
    [
      "a config that is not there",
      { manifest: { config: { mediaType: mediaTypes.ociConfig, digest: id, size: 1 } } },
      "SOURCE_NOT_FOUND",
      `blob ${id}`,
    ],
  ])("is refused with %s", async (_name, image, code, problem) => {
    registry.current.addImage("latest", image);
    const error = await rejectionOf(pull());
    expect(error.code).toBe(code);
    expect(error.message).toContain(problem);
  });

  test("is refused with a layer that is kept elsewhere, which is not asked for", async () => {
    const urls = [`http://${registry.current.host}/elsewhere`];
    const layer = { ...registry.current.addBlob("x"), mediaType: mediaTypes.dockerForeignLayer, urls };
    registry.current.addImage("latest", { layers: [Buffer.from("x")], manifest: { layers: [layer] } });
    expect((await rejectionOf(pull())).message).toContain("is not distributed by registries");
    expect(registry.current.log.join()).not.toContain("elsewhere");
  });

  test("is refused with a config of another size than announced", async () => {
    const { config } = registry.current.addImage(null);
    registry.current.addImage("latest", { manifest: { config: { ...config, size: config.size - 1 } } });
    expect((await rejectionOf(pull())).code).toBe("BLOB_DIGEST_MISMATCH");
  });
});

describe("an index", () => {
  const addAll = (...platforms: readonly string[]): readonly Descriptor[] => {
    const manifests = platforms.map((platform) => {
      const { os, architecture } = parsePlatform(platform);
      return registry.current.addImage(null, { config: { os, architecture, author: platform } }).manifest;
    });
    registry.current.addIndex(
      "latest",
      manifests.map((manifest, at) => entry(manifest, platforms[at] ?? "")),
    );
    return manifests;
  };

  test.each([
    ["linux/amd64", "linux/amd64"],
    ["linux/arm64", "linux/arm64"],
    ["linux/arm/v7", "linux/arm/v6"],
  ])("gives for %s the image of %s", async (wanted, given) => {
    addAll("linux/arm64", "linux/arm/v6", "linux/amd64");
    const image = await pull("", wanted);
    expect(image.config.author).toBe(given);
    expect(image.root.mediaType).toBe(mediaTypes.ociIndex);
    expect(image.manifest.mediaType).toBe(mediaTypes.ociManifest);
  });

  test("without the platform says what there is", async () => {
    addAll("linux/arm64", "linux/amd64");
    const error = await rejectionOf(pull("", "linux/s390x"));
    expect(error.code).toBe("PLATFORM_UNSUPPORTED");
    expect(error.hint).toBe("it has linux/arm64, linux/amd64");
  });

  test("may list attestations, which are never an image", async () => {
    const { manifest } = registry.current.addImage(null);
    const attestation = {
      ...registry.current.addImage(null, { layers: [] }).manifest,
      platform: { os: "unknown", architecture: "unknown" },
    };
    registry.current.addIndex("latest", [attestation, entry(manifest, "linux/amd64")]);
    expect((await pull()).manifest.digest).toBe(manifest.digest);
    expect((await rejectionOf(pull("", "linux/s390x"))).hint).toBe("it has linux/amd64");
  });

  test("may list the same manifest twice", async () => {
    const { manifest } = registry.current.addImage(null);
    registry.current.addIndex("latest", [entry(manifest, "linux/amd64"), entry(manifest, "linux/amd64")]);
    expect((await pull()).manifest.digest).toBe(manifest.digest);
  });

  test("gives the platform the config claims when index and config disagree", async () => {
    const { manifest } = registry.current.addImage(null, { config: { architecture: "s390x" } });
    registry.current.addIndex("latest", [entry(manifest, "linux/amd64")]);
    expect((await pull()).config.platform.architecture).toBe("s390x");
  });

  test("may lie in an index, but not in a hundred", async () => {
    let inner = registry.current.addImage(null).manifest;
    for (let depth = 1; depth <= 100; depth += 1) {
      inner = registry.current.addIndex(`depth-${depth}`, [entry(inner, "linux/amd64")]);
    }
    expect((await pull(":depth-4")).layers).toHaveLength(2);
    expect((await rejectionOf(pull(":depth-100"))).message).toContain("nested deeper than 4");
  });

  test.each([
    ["of another type", { mediaType: mediaTypes.dockerManifest }, "as announced"],
    ["of another size", { size: 5 }, "want 5"],
  ])("is refused with an entry %s than what it leads to", async (_name, lie, problem) => {
    const { manifest } = registry.current.addImage(null);
    registry.current.addIndex("latest", [{ ...entry(manifest, "linux/amd64"), ...lie }]);
    const error = await rejectionOf(pull());
    expect(error.code).toBe("IMAGE_INVALID");
    expect(error.message).toContain(problem);
  });
});

test("manifests and configs that are wrong are not kept", async () => {
  const { config } = registry.current.addImage("latest");
  const blobs = memoryBlobs();
  registry.current.fail(/blobs/, faults.body("x".repeat(config.size)), 1);
  expect((await rejectionOf(pull("", "linux/amd64", blobs))).code).toBe("BLOB_DIGEST_MISMATCH");
  expect(blobs.contents.has(config.digest)).toBe(false);
  expect((await pull("", "linux/amd64", blobs)).imageId).toBe(config.digest);
});

describe("layers are opened by origin", () => {
  test("in the registry", async () => {
    registry.current.addImage("latest");
    const image = await pull();
    const blobs = new RegistryBlobs(testClient());
    const contents = image.layers.map(async ({ blob }) =>
      (await collect(await blobs.open(image.origin, blob, signal))).toString(),
    );
    expect(await Promise.all(contents)).toEqual(["layer one", "layer two"]);
  });

  test("in an OCI layout", async () => {
    const directory = fileURLToPath(new URL("../../../fixtures/base", import.meta.url));
    const image = await resolveImage(layoutSource(directory, null, null), parsePlatform("linux/amd64"), signal);
    const [layer] = image.layers;
    if (layer === undefined) throw new Error("the fixture has no layer");
    const content = await collect(await new RegistryBlobs(testClient()).open(image.origin, layer.blob, signal));
    expect(digestOf(content)).toBe(layer.blob.digest);
    expect(image.origin).toBe(`oci-layout:${directory}`);
  });

  test.each(["busybox", "docker.io/busybox", "docker.io/library/busybox:latest"])("but %s is none", async (origin) => {
    const blob = registry.current.addBlob("x");
    expect((await rejectionOf(new RegistryBlobs(testClient()).open(origin, blob, signal))).code).toBe("INTERNAL");
  });
});
