import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough, Writable } from "node:stream";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { type ArchiveOptions, ociArchiveOutput } from "../../../src/output/oci-archive-output.ts";
import type { PlatformImage } from "../../../src/output/output.ts";
import { dir, file } from "../../support/layer-builder.ts";
import { listTar, type TarMember } from "../../support/list-tar.ts";
import { useStoredImages } from "../../support/stored-images.ts";
import { rejectionOf } from "../../support/thrown-by.ts";

const images = useStoredImages();
const never = new AbortController().signal;
const app = "docker.io/ns/app:latest";

const write = (
  built: readonly PlatformImage[],
  options: Partial<ArchiveOptions> = {},
  stdout: Writable = new PassThrough(),
) =>
  ociArchiveOutput(
    {
      destination: join(images.path, "image.tar"),
      names: [app],
      compression: { format: { compression: "gzip", level: null }, force: false },
      annotations: [],
      ociMediaTypes: true,
      forDocker: false,
      ...options,
    },
    images.layers,
    images.store.blobs,
    stdout,
  ).write(built, never);

/** An archive as a reader sees it. */
function readArchive(bytes = readFileSync(join(images.path, "image.tar"))) {
  const members = new Map<string, TarMember>(listTar(bytes).map((member) => [member.name, member]));
  const json = (name: string) => JSON.parse((members.get(name)?.content ?? Buffer.alloc(0)).toString());
  const blob = (digest: string): Buffer => {
    const content = members.get(`blobs/${digest.replace(":", "/")}`)?.content ?? Buffer.alloc(0);
    expect(`sha256:${createHash("sha256").update(content).digest("hex")}`).toBe(digest);
    return content;
  };
  return { members, json, blob };
}

describe("an archive of one platform", () => {
  test("leads from index.json to manifest, config and layers", async () => {
    const image = await images.make("amd64", [dir("d"), file("d/a", "lower")], [file("b", "upper")]);
    const receipt = await write([image]);
    const { members, json, blob } = readArchive();
    expect(json("oci-layout")).toEqual({ imageLayoutVersion: "1.0.0" });
    const index = json("index.json");
    expect(index.manifests).toEqual([
      {
        mediaType: "application/vnd.oci.image.manifest.v1+json",
        digest: receipt.manifest,
        size: blob(index.manifests[0].digest).length,
        annotations: {
          "io.containerd.image.name": app,
          "org.opencontainers.image.created": "2024-05-06T07:08:09Z",
          "org.opencontainers.image.ref.name": "latest",
        },
        platform: { architecture: "amd64", os: "linux" },
      },
    ]);
    const manifest = JSON.parse(blob(index.manifests[0].digest).toString());
    expect(manifest.config.digest).toBe(image.imageId);
    expect(blob(manifest.config.digest)).toEqual(Buffer.from(image.config));
    const diffIds = manifest.layers.map((layer: { digest: string; size: number; mediaType: string }) => {
      expect(layer.mediaType).toBe("application/vnd.oci.image.layer.v1.tar+gzip");
      expect(layer.size).toBe(blob(layer.digest).length);
      return `sha256:${createHash("sha256")
        .update(gunzipSync(blob(layer.digest)))
        .digest("hex")}`;
    });
    expect(diffIds).toEqual(image.diffIds);
    expect([...members.keys()]).toEqual([...members.keys()].sort());
    for (const { mtime, uid } of members.values()) expect([mtime, uid]).toEqual([0, 0]);
  });

  test("lists the image once per name", async () => {
    const image = await images.make("amd64", [file("a", "")]);
    await write([image], { names: [app, "127.0.0.1:5001/other:v2"] });
    const { manifests } = readArchive().json("index.json");
    const tags = manifests.map(
      ({ annotations }: { annotations: Record<string, string> }) => annotations["org.opencontainers.image.ref.name"],
    );
    expect(tags).toEqual(["latest", "v2"]);
    expect(manifests[0].digest).toBe(manifests[1].digest);
  });

  test("may have no name", async () => {
    await write([await images.make("amd64", [file("a", "")])], { names: [] });
    const { manifests } = readArchive().json("index.json");
    expect(manifests).toHaveLength(1);
    expect(manifests[0].annotations).toEqual({ "org.opencontainers.image.created": "2024-05-06T07:08:09Z" });
  });

  test("holds a layer that occurs twice once", async () => {
    const image = await images.make("amd64", [file("a", "same")], [file("a", "same")]);
    await write([image]);
    const { json, blob, members } = readArchive();
    expect(JSON.parse(blob(json("index.json").manifests[0].digest).toString()).layers).toHaveLength(2);
    expect([...members.keys()].filter((name) => /^blobs\/sha256\/./.test(name))).toHaveLength(3);
  });

  test("has docker's media types when asked", async () => {
    await write([await images.make("amd64", [file("a", "")])], { ociMediaTypes: false });
    const { json, blob } = readArchive();
    const manifest = JSON.parse(blob(json("index.json").manifests[0].digest).toString());
    expect(manifest.mediaType).toBe("application/vnd.docker.distribution.manifest.v2+json");
    expect(manifest.config.mediaType).toBe("application/vnd.docker.container.image.v1+json");
    expect(manifest.layers[0].mediaType).toBe("application/vnd.docker.image.rootfs.diff.tar.gzip");
  });

  test("has the annotations of image and output", async () => {
    const image = await images.make("amd64", [file("a", "")]);
    await write([{ ...image, annotations: new Map([["from.image", "1"]]) }], {
      annotations: [
        { level: "manifest", platform: null, key: "everywhere", value: "2" },
        { level: "manifest", platform: "linux/arm64", key: "elsewhere", value: "3" },
        { level: "manifest-descriptor", platform: "linux/amd64", key: "on.descriptor", value: "4" },
      ],
    });
    const { json, blob } = readArchive();
    const [entry] = json("index.json").manifests;
    expect(JSON.parse(blob(entry.digest).toString()).annotations).toEqual({ everywhere: "2", "from.image": "1" });
    expect(entry.annotations["on.descriptor"]).toBe("4");
  });
});

describe("an archive of several platforms", () => {
  test("leads to an index that tells them apart", async () => {
    const built = [await images.make("amd64", [file("a", "1")]), await images.make("arm64", [file("a", "2")])];
    const receipt = await write(built, { annotations: [{ level: "index", platform: null, key: "k", value: "v" }] });
    const { json, blob } = readArchive();
    const [entry] = json("index.json").manifests;
    expect(entry.digest).toBe(receipt.manifest);
    expect(entry.platform).toBeUndefined();
    const index = JSON.parse(blob(entry.digest).toString());
    expect(index.annotations).toEqual({ k: "v" });
    const platforms = index.manifests.map(
      ({ platform }: { platform: { architecture: string } }) => platform.architecture,
    );
    expect(platforms).toEqual(["amd64", "arm64"]);
    for (const [at, { digest }] of index.manifests.entries())
      expect(JSON.parse(blob(digest).toString()).config.digest).toBe(built[at]?.imageId);
  });
});

describe("a docker archive", () => {
  test("is also readable by manifest.json, with layers as they are", async () => {
    const image = await images.make("amd64", [file("a", "1")], [file("b", "2")]);
    const compression = { format: { compression: "none", level: null }, force: false } as const;
    await write([image], { forDocker: true, compression });
    const { json, members } = readArchive();
    const [entry] = json("manifest.json");
    expect(entry.RepoTags).toEqual(["ns/app:latest"]);
    expect(members.get(entry.Config)?.content).toEqual(Buffer.from(image.config));
    const diffIds = entry.Layers.map((path: string) => {
      const content = members.get(path)?.content ?? Buffer.alloc(0);
      return `sha256:${createHash("sha256").update(content).digest("hex")}`;
    });
    expect(diffIds).toEqual(image.diffIds);
    expect(json("index.json").manifests).toHaveLength(1);
  });

  test("takes one platform only", async () => {
    const built = [await images.make("amd64"), await images.make("arm64")];
    expect((await rejectionOf(write(built, { forDocker: true }))).code).toBe("EXPORT_UNSUPPORTED");
    expect(existsSync(join(images.path, "image.tar"))).toBe(false);
  });
});

describe("the destination", () => {
  test("may be standard output", async () => {
    const stdout = new PassThrough();
    const parts: Buffer[] = [];
    stdout.on("data", (part: Buffer) => parts.push(part));
    await write([await images.make("amd64", [file("a", "x".repeat(300_000))])], { destination: "-" }, stdout);
    expect(readArchive(Buffer.concat(parts)).json("index.json").manifests).toHaveLength(1);
    expect(stdout.writableEnded).toBe(false);
  });

  test("standard output that is closed early is reported", async () => {
    const stdout = new Writable({
      write(_chunk, _encoding, done) {
        done(Object.assign(new Error("write EPIPE"), { code: "EPIPE" }));
      },
    });
    const error = await rejectionOf(
      write([await images.make("amd64", [file("a", "x")])], { destination: "-" }, stdout),
    );
    expect(error.code).toBe("EXPORT_DESTINATION_INVALID");
  });

  test("that is a link leads to the file that is replaced", async () => {
    mkdirSync(join(images.path, "real"));
    writeFileSync(join(images.path, "real/old.tar"), "old");
    symlinkSync("real/old.tar", join(images.path, "image.tar"));
    await write([await images.make("amd64")]);
    expect(statSync(join(images.path, "real/old.tar")).size).toBeGreaterThan(512);
    expect(readdirSync(join(images.path, "real"))).toEqual(["old.tar"]);
    expect(readArchive().json("index.json").manifests).toHaveLength(1);
  });

  test("that is a device is written to and stays", async () => {
    await write([await images.make("amd64")], { destination: "/dev/null" });
    expect(statSync("/dev/null").isCharacterDevice()).toBe(true);
  });
});
