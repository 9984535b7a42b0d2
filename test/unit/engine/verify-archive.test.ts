import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { beforeEach, describe, expect, test } from "vitest";
import { digestOf, hexOf } from "../../../src/base/digest.ts";
import { mediaTypes } from "../../../src/image/media-types.ts";
import { rawTar } from "../../support/raw-tar.ts";
import { useTemporaryDirectory } from "../../support/temporary-directory.ts";
import { addBlob, problemsIn } from "../../support/verify-archive.ts";

const temporary = useTemporaryDirectory();
const layout = (): string => join(temporary.path, "layout");
const blobs = (): string => join(layout(), "blobs/sha256");
const write = (name: string, content: unknown): void => writeFileSync(join(layout(), name), JSON.stringify(content));

const tar = rawTar({ name: "a", content: "x" });
const config = {
  os: "linux",
  architecture: "amd64",
  config: {},
  history: [{ created_by: "x" }, { empty_layer: true }],
  rootfs: { type: "layers", diff_ids: [digestOf(tar) as string] },
};

interface Changes {
  readonly tar?: Buffer;
  readonly layerType?: string;
  readonly config?: object;
  readonly manifest?: object;
  readonly root?: object;
}

/** Writes a layout with one image, right but for the changes. */
function writeImage(changes: Changes = {}): void {
  const layerBytes = gzipSync(changes.tar ?? tar);
  const layer = addBlob(blobs(), layerBytes, changes.layerType ?? mediaTypes.ociLayerGzip);
  const configBytes = Buffer.from(JSON.stringify({ ...config, ...changes.config }));
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: addBlob(blobs(), configBytes, mediaTypes.ociConfig),
    layers: [layer],
    ...changes.manifest,
  };
  const root = addBlob(blobs(), Buffer.from(JSON.stringify(manifest)), mediaTypes.ociManifest);
  write("index.json", { schemaVersion: 2, manifests: [{ ...root, ...changes.root }] });
  write("oci-layout", { imageLayoutVersion: "1.0.0" });
}

beforeEach(() => void mkdirSync(blobs(), { recursive: true }));

test("a right layout has no problem", async () => {
  writeImage();
  expect(await problemsIn(layout())).toEqual([]);
});

test.each<[string, Changes, readonly string[]]>([
  ["another layer than the config names", { tar: rawTar({ name: "b" }) }, ["DIFF_ID"]],
  ["a layer that is not compressed as it says", { layerType: mediaTypes.ociLayer }, ["MEDIA_TYPE"]],
  ["a layer that is none", { layerType: "text/plain" }, ["MEDIA_TYPE"]],
  ["a layer that is no tar", { tar: Buffer.from("no tar".repeat(100)) }, ["TAR_FORMAT", "DIFF_ID"]],
  [
    "a diffID too many",
    { config: { rootfs: { type: "layers", diff_ids: [digestOf(tar), digestOf("")] } } },
    ["HISTORY_COUNT", "LAYER_COUNT"],
  ],
  ["a history row too many", { config: { history: [{}, {}] } }, ["HISTORY_COUNT"]],
  ["no history", { config: { history: [] } }, []],
  ["a config that is none", { config: { rootfs: { type: "other" } } }, ["DOCUMENT"]],
  ["a manifest that could be an index", { manifest: { manifests: [] } }, ["DOCUMENT"]],
  ["a manifest of another kind", { manifest: { mediaType: mediaTypes.dockerManifest } }, ["DOCUMENT"]],
  ["another platform than the config's", { root: { platform: { os: "linux", architecture: "arm64" } } }, ["PLATFORM"]],
  ["a wrong size", { root: { size: 1 } }, ["BLOB_SIZE"]],
  ["a blob that is not there", { root: { digest: digestOf("") } }, ["BLOB_MISSING"]],
])("%s", async (_name, changes, codes) => {
  writeImage(changes);
  expect((await problemsIn(layout())).map((line) => line.split(" ")[0])).toEqual(codes);
});

describe("what lies around", () => {
  test("a blob that nothing leads to is held to its name, and other files are no blobs", async () => {
    writeImage();
    const stray = "0".repeat(64);
    writeFileSync(join(blobs(), stray), "x");
    writeFileSync(join(blobs(), "note"), "x");
    expect(await problemsIn(layout())).toEqual([
      "LAYOUT blobs/sha256/note: is no blob",
      `BLOB_DIGEST blobs/sha256/${stray}: got ${digestOf("x")}, want sha256:${stray}`,
    ]);
  });

  test("every damaged blob is named", async () => {
    writeImage();
    for (const name of readdirSync(blobs())) {
      const bytes = readFileSync(join(blobs(), name));
      bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
      writeFileSync(join(blobs(), name), bytes);
      expect(await problemsIn(layout())).toEqual(
        expect.arrayContaining([expect.stringMatching(new RegExp(`^BLOB_DIGEST .*${name}: `))]),
      );
      bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
      writeFileSync(join(blobs(), name), bytes);
    }
  });

  test("without index.json and manifest.json there is no image", async () => {
    expect(await problemsIn(layout())).toEqual(["LAYOUT index.json: is missing, and so is manifest.json"]);
  });

  test("an index of itself ends", async () => {
    writeImage();
    const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [] as object[] };
    let root = addBlob(blobs(), Buffer.from(JSON.stringify(index)), mediaTypes.ociIndex);
    for (let depth = 0; depth < 8; depth++)
      root = addBlob(blobs(), Buffer.from(JSON.stringify({ ...index, manifests: [root, root] })), mediaTypes.ociIndex);
    write("index.json", { schemaVersion: 2, manifests: [root] });
    expect((await problemsIn(layout()))[0]).toContain("is nested deeper than 4 indexes");
  });
});

describe("docker's own format", () => {
  const writeDocker = (entry: object = {}): void => {
    rmSync(layout(), { recursive: true });
    mkdirSync(layout());
    const bytes = Buffer.from(JSON.stringify(config));
    writeFileSync(join(layout(), `${hexOf(digestOf(bytes))}.json`), bytes);
    writeFileSync(join(layout(), "layer.tar"), tar);
    write("manifest.json", [
      { Config: `${hexOf(digestOf(bytes))}.json`, RepoTags: ["a:1"], Layers: ["layer.tar"], ...entry },
    ]);
  };

  test("has no problem when it is right", async () => {
    writeDocker();
    expect(await problemsIn(layout())).toEqual([]);
  });

  test("is held to its config", async () => {
    writeDocker();
    writeFileSync(join(layout(), "layer.tar"), rawTar({ name: "other" }));
    expect(await problemsIn(layout())).toEqual([expect.stringMatching(/^DIFF_ID layer.tar: /)]);
    writeDocker({ Layers: [] });
    expect(await problemsIn(layout())).toEqual([expect.stringMatching(/^DOCUMENT manifest.json: /)]);
    writeDocker();
    renameSync(join(layout(), "layer.tar"), join(layout(), "other.tar"));
    expect(await problemsIn(layout())).toEqual([expect.stringMatching(/^DOCUMENT manifest.json: .*missing/)]);
  });
});
