import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { openTarContext, openTarContextTask } from "../../../src/context/tar-context.ts";
import type { ImageWorkshop } from "../../../src/engine/image-workshop.ts";
import { loadImages } from "../../../src/engine/load-images.ts";
import { bindTask, functionRunner } from "../../support/function-runner.ts";
import { type RawMember, rawTar } from "../../support/raw-tar.ts";
import { useStoredImages } from "../../support/stored-images.ts";
import { rejectionOf } from "../../support/thrown-by.ts";

const images = useStoredImages();
const never = new AbortController().signal;
const tasks = functionRunner(bindTask(openTarContextTask, openTarContext));

const workshop = (): ImageWorkshop => ({ store: images.store, layers: images.layers, tasks });

const load = (archive: Buffer, nameless: string | null = null) =>
  loadImages("-", Readable.from([archive]), nameless, workshop(), never);

const sha256 = (bytes: string | Buffer): string => createHash("sha256").update(bytes).digest("hex");
const layer = rawTar({ name: "etc/motd", content: "hello\n" });
const diffId = `sha256:${sha256(layer)}`;
const configOf = (diffIds: readonly string[]): string =>
  JSON.stringify({ architecture: "amd64", os: "linux", config: {}, rootfs: { type: "layers", diff_ids: diffIds } });
const config = configOf([diffId]);
const imageId = `sha256:${sha256(config)}`;

/** What `docker save` writes. */
const dockerArchive = (entries: unknown, more: readonly RawMember[] = []): Buffer =>
  rawTar(
    { name: "config.json", content: config },
    { name: "layer.tar", content: layer },
    { name: "manifest.json", content: typeof entries === "string" ? entries : JSON.stringify(entries) },
    ...more,
  );
const entry = { Config: "config.json", RepoTags: ["app:1"], Layers: ["layer.tar"] };

const types = {
  manifest: "application/vnd.oci.image.manifest.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  index: "application/vnd.oci.image.index.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar+gzip",
} as const;

interface Blob {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

/** An OCI layout, blob by blob. */
class Layout {
  readonly members: RawMember[] = [];

  blob(type: keyof typeof types, content: string | Buffer): Blob {
    const bytes = Buffer.from(content);
    this.members.push({ name: `blobs/sha256/${sha256(bytes)}`, content: bytes });
    return { mediaType: types[type], digest: `sha256:${sha256(bytes)}`, size: bytes.length };
  }

  manifest(parts: { readonly config?: Blob; readonly layers?: readonly Blob[] } = {}): Blob {
    const { config: given = this.blob("config", config), layers = [this.blob("layer", gzipSync(layer))] } = parts;
    return this.blob(
      "manifest",
      JSON.stringify({ schemaVersion: 2, mediaType: types.manifest, config: given, layers }),
    );
  }

  index(manifests: readonly object[]): Blob {
    return this.blob("index", JSON.stringify({ schemaVersion: 2, mediaType: types.index, manifests }));
  }

  files(manifests: readonly object[]): readonly RawMember[] {
    return [
      ...this.members,
      { name: "oci-layout", content: '{"imageLayoutVersion":"1.0.0"}' },
      { name: "index.json", content: JSON.stringify({ schemaVersion: 2, manifests }) },
    ];
  }
}

const ociArchive = (make: (layout: Layout) => readonly object[]): Buffer => {
  const layout = new Layout();
  return rawTar(...layout.files(make(layout)));
};

describe("what is loaded", () => {
  test("an archive of docker save, config byte for byte", async () => {
    const loaded = await load(dockerArchive([entry]));
    expect(loaded).toEqual([{ names: ["docker.io/library/app:1"], imageIds: [imageId] }]);
    const stored = await images.store.images.get("docker.io/library/app:1");
    expect(stored?.platforms).toMatchObject([{ imageId, diffIds: [diffId], platform: { architecture: "amd64" } }]);
    expect(readFileSync(images.store.blobs.path(stored?.platforms[0]?.imageId as never), "utf8")).toBe(config);
    const { tarFile } = await images.layers.readable(diffId as never, never);
    expect(readFileSync(tarFile as string).equals(layer)).toBe(true);
  });

  test("layers that are links to each other, as older versions of docker wrote them", async () => {
    const archive = dockerArchive(
      [{ ...entry, Layers: ["b/layer.tar"] }],
      [{ name: "b/layer.tar", type: "2", link: "../layer.tar" }],
    );
    expect(await load(archive)).toHaveLength(1);
  });

  test("several images, and one by several names", async () => {
    const loaded = await load(
      dockerArchive([
        { ...entry, RepoTags: ["app:1", "ns/app"] },
        { ...entry, RepoTags: ["b"] },
      ]),
    );
    expect(loaded.map(({ names }) => names)).toEqual([
      ["docker.io/library/app:1", "docker.io/ns/app:latest"],
      ["docker.io/library/b:latest"],
    ]);
  });

  test("an OCI layout with two platforms; the compressed blobs stay what they are", async () => {
    const blob = gzipSync(layer, { level: 1 });
    await load(
      ociArchive((layout) => {
        const manifest = layout.manifest({ layers: [layout.blob("layer", blob)] });
        const arm = layout.manifest({
          config: layout.blob("config", config.replace("amd64", "arm64")),
          layers: [layout.blob("layer", blob)],
        });
        const root = layout.index([
          { ...manifest, platform: { os: "linux", architecture: "amd64" } },
          { ...arm, platform: { os: "linux", architecture: "arm64" } },
          { ...manifest, digest: `sha256:${"0".repeat(64)}`, platform: { os: "linux", architecture: "s390x" } },
          { ...manifest, annotations: { "vnd.docker.reference.type": "attestation-manifest" } },
        ]);
        return [{ ...root, annotations: { "io.containerd.image.name": "docker.io/ns/app:2" } }];
      }),
    );
    const stored = await images.store.images.get("docker.io/ns/app:2");
    expect(stored?.platforms.map(({ platform }) => platform.architecture)).toEqual(["amd64", "arm64"]);
    const kept = await images.layers.blob(diffId as never, { compression: "none", level: null }, never);
    expect(kept.digest).toBe(`sha256:${sha256(blob)}`);
  });

  test("an OCI layout that lies in a directory", async () => {
    const layout = new Layout();
    const root = layout.manifest();
    for (const { name, content } of layout.files([root])) {
      const path = join(images.path, "layout", String(name));
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, content ?? "");
    }
    const source = join(images.path, "layout");
    const loaded = await loadImages(source, Readable.from([]), "docker.io/ns/named:1", workshop(), never);
    expect(loaded).toEqual([{ names: ["docker.io/ns/named:1"], imageIds: [imageId] }]);
  });

  test("a name that is only a tag is none", async () => {
    const tagged = (layout: Layout) => [
      { ...layout.manifest(), annotations: { "org.opencontainers.image.ref.name": "v1" } },
    ];
    expect((await load(ociArchive(tagged)))[0]?.names).toEqual([]);
  });
});

const wrongDigest = `sha256:${"1".repeat(64)}`;

describe("what is refused; nothing gets a name then", () => {
  test.each<[string, Buffer, string]>([
    ["a path out of the archive", dockerArchive([{ ...entry, Config: "../../etc/passwd" }]), "BLOB_NOT_FOUND"],
    ["an absolute path", dockerArchive([{ ...entry, Layers: ["/etc/passwd"] }]), "BLOB_NOT_FOUND"],
    [
      "a link out of the archive",
      dockerArchive([{ ...entry, Layers: ["x"] }], [{ name: "x", type: "2", link: "/etc/passwd" }]),
      "BLOB_NOT_FOUND",
    ],
    [
      "links in a circle",
      dockerArchive(
        [{ ...entry, Config: "x" }],
        [
          { name: "x", type: "2", link: "y" },
          { name: "y", type: "2", link: "x" },
        ],
      ),
      "SOURCE_INVALID",
    ],
    [
      "a directory as layer",
      dockerArchive([{ ...entry, Layers: ["d"] }], [{ name: "d/", type: "5" }]),
      "SOURCE_INVALID",
    ],
    ["a null manifest", dockerArchive("null"), "IMAGE_INVALID"],
    ["a null entry", dockerArchive("[null]"), "IMAGE_INVALID"],
    ["an object as manifest", dockerArchive("{}"), "IMAGE_INVALID"],
    ["no image at all", dockerArchive("[]"), "IMAGE_INVALID"],
    ["an entry without a config", dockerArchive([{ Layers: [] }]), "IMAGE_INVALID"],
    ["layers that are numbers", dockerArchive([{ ...entry, Layers: [1] }]), "IMAGE_INVALID"],
    ["fewer layers than diffIDs", dockerArchive([{ ...entry, Layers: [] }]), "IMAGE_INVALID"],
    ["more layers than diffIDs", dockerArchive([{ ...entry, Layers: ["layer.tar", "layer.tar"] }]), "IMAGE_INVALID"],
    ["more images than anyone has", dockerArchive(Array.from({ length: 1001 }, () => entry)), "IMAGE_INVALID"],
    ["a key that occurs twice", dockerArchive('[{"Config":"config.json","Config":"x"}]'), "IMAGE_INVALID"],
    ["a manifest.json of 5 MB", dockerArchive(`[]${" ".repeat(5e6)}`), "BLOB_TOO_LARGE"],
    ["a name that is none", dockerArchive([{ ...entry, RepoTags: ["App:1"] }]), "REFERENCE_INVALID"],
    [
      "a layer that is not what its diffID says",
      dockerArchive(
        [{ ...entry, Layers: ["other.tar"] }],
        [{ name: "other.tar", content: rawTar({ name: "evil", content: "x" }) }],
      ),
      "BLOB_DIGEST_MISMATCH",
    ],
    [
      "a config that is not what its name says",
      dockerArchive(
        [{ ...entry, Config: `${"1".repeat(64)}.json` }],
        [{ name: `${"1".repeat(64)}.json`, content: config }],
      ),
      "BLOB_DIGEST_MISMATCH",
    ],
    ["a tar with neither", rawTar({ name: "etc/passwd", content: "root" }), "SOURCE_INVALID"],
    ["no tar", Buffer.from("hello"), "SOURCE_INVALID"],
    ["nothing", Buffer.alloc(0), "SOURCE_INVALID"],
    ["damaged gzip", gzipSync(dockerArchive([entry])).subarray(0, 200), "SOURCE_INVALID"],
    ["a tar that is cut off", dockerArchive([entry]).subarray(0, 700), "SOURCE_INVALID"],
    ["a blob of another size", ociArchive((l) => [{ ...l.manifest(), size: 5 }]), "BLOB_DIGEST_MISMATCH"],
    ["a blob that is missing", ociArchive((l) => [{ ...l.manifest(), digest: wrongDigest }]), "BLOB_NOT_FOUND"],
    [
      "a digest that leads elsewhere",
      ociArchive((l) => [{ ...l.manifest(), digest: "sha256:../../../etc/passwd" }]),
      "IMAGE_INVALID",
    ],
    [
      "a config with other bytes of the same length",
      ociArchive((l) => {
        const blob = l.blob("config", config);
        l.members.push({ name: `blobs/sha256/${"1".repeat(64)}`, content: config });
        return [l.manifest({ config: { ...blob, digest: wrongDigest } })];
      }),
      "BLOB_DIGEST_MISMATCH",
    ],
    [
      "a layer with other bytes of the same length",
      ociArchive((l) => {
        const blob = l.blob("layer", gzipSync(layer));
        l.members.push({ name: `blobs/sha256/${"1".repeat(64)}`, content: gzipSync(layer) });
        return [l.manifest({ layers: [{ ...blob, digest: wrongDigest }] })];
      }),
      "BLOB_DIGEST_MISMATCH",
    ],
    [
      "a blob that is a link",
      ociArchive((l) => {
        l.members.push({ name: `blobs/sha256/${"1".repeat(64)}`, type: "2", link: "/etc/passwd" });
        return [{ ...l.manifest(), digest: wrongDigest }];
      }),
      "SOURCE_INVALID",
    ],
    [
      "an index in an index in an index …",
      ociArchive((l) => {
        let root = l.manifest();
        for (let depth = 0; depth < 6; depth += 1) root = l.index([root]);
        return [root];
      }),
      "IMAGE_INVALID",
    ],
    ["an index that leads to nothing", ociArchive((l) => [l.index([])]), "IMAGE_INVALID"],
  ])("%s", async (_, archive, code) => {
    expect(await rejectionOf(load(archive))).toMatchObject({ code });
    expect(await images.store.images.list()).toEqual([]);
    expect(readdirSync(join(images.store.root, "layers"))).toEqual([]);
  });

  test("a directory whose blobs are links out of it", async () => {
    const layout = new Layout();
    const root = layout.manifest();
    const source = join(images.path, "layout");
    mkdirSync(join(source, "blobs", "sha256"), { recursive: true });
    for (const { name, content } of layout.files([root])) {
      const isBlob = String(name).startsWith("blobs/");
      const path = isBlob ? join(images.path, sha256(Buffer.from(content ?? ""))) : join(source, String(name));
      writeFileSync(path, content ?? "");
      if (isBlob) symlinkSync(path, join(source, String(name)));
    }
    const error = await rejectionOf(loadImages(source, Readable.from([]), null, workshop(), never));
    expect(error).toMatchObject({ code: "SOURCE_INVALID" });
  });

  test("a file that is not there", async () => {
    const error = await rejectionOf(loadImages("/none.tar", Readable.from([]), null, workshop(), never));
    expect(error).toMatchObject({ code: "SOURCE_NOT_FOUND" });
  });
});
