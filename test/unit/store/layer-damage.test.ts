import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { type DiffId, digestOf, hexOf } from "../../../src/base/digest.ts";
import { mediaTypes } from "../../../src/image/media-types.ts";
import { readerOf } from "../../../src/layer/file-readers.ts";
import { openLayerWriter } from "../../../src/layer/layer-writer.ts";
import { openLayerStore } from "../../../src/store/open-layer-store.ts";
import { prune } from "../../../src/store/prune.ts";
import { file } from "../../support/layer-builder.ts";
import { useStoredImages } from "../../support/stored-images.ts";
import { rejectionOf } from "../../support/thrown-by.ts";

const images = useStoredImages();
const never = new AbortController().signal;
const pathOf = (diffId: DiffId, name: string): string => join(images.store.root, "layers", hexOf(diffId), name);

async function commitTar(content: string): Promise<DiffId> {
  const { diffIds } = await images.make("amd64", [file("f", content)]);
  return diffIds[0] as DiffId;
}

/** As RUN does: the tar was only hashed. */
async function commitDirectory(content: string): Promise<DiffId> {
  const temporary = await images.layers.makeTemporary();
  mkdirSync(join(temporary, "dir"));
  writeFileSync(join(temporary, "dir", "f"), content);
  const writer = openLayerWriter(temporary, { keepTar: false });
  const item = file("f", content);
  writer.add(item.row, readerOf(item.content ?? Buffer.alloc(0)));
  const layer = writer.finish();
  await images.layers.commitDirectory(temporary, layer);
  return layer.diffId;
}

/** The same store in a process that has not looked at anything yet. */
const freshLayers = () =>
  openLayerStore(images.store, images.runner, { open: () => Promise.reject(new Error("offline")) }, () => {});

function flipByte(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(path, bytes);
}

describe("on disk", () => {
  test("a layer is files to look at, and directories have short names", async () => {
    const diffId = await commitTar("content");
    const directory = await images.layers.directory(diffId, never);
    expect(readdirSync(pathOf(diffId, "")).sort()).toEqual(["boot-id", "dir", "index", "layer.json", "tar"]);
    expect(readlinkSync(pathOf(diffId, "dir"))).toMatch(/^\.\.\/\.\.\/dirs\/[0-9a-f]{10}$/);
    expect(directory).toMatch(/\/dirs\/[0-9a-f]{10}$/);
    expect(JSON.parse(readFileSync(pathOf(diffId, "layer.json"), "utf8")).record.diffId).toBe(diffId);
  });

  test("nobody else gets at a setuid program", async () => {
    const { diffIds } = await images.make("amd64", [file("su", "", { mode: 0o4755 })]);
    await images.layers.directory(diffIds[0] as DiffId, never);
    expect(statSync(images.store.root).mode & 0o077).toBe(0);
  });
});

describe("a broken index", () => {
  test("is made again from the tar", async () => {
    const diffId = await commitTar("content");
    const index = readFileSync(pathOf(diffId, "index"));
    flipByte(pathOf(diffId, "index"), Math.floor(index.length / 2));
    const layer = await freshLayers().readable(diffId, never);
    expect(readFileSync(layer.indexFile, "utf8")).toContain('"f"');
    expect(layer.tarFile).not.toBeNull();
    expect(readdirSync(join(images.store.root, "quarantine"))).toHaveLength(1);
  });

  test.each(["index", "layer.json"])(
    "(%s) without a tar makes the layer unknown, so that its step runs again",
    async (name) => {
      const diffId = await commitDirectory("content");
      flipByte(pathOf(diffId, name), 30);
      const layers = freshLayers();
      expect((await rejectionOf(layers.readable(diffId, never))).code).toBe("LAYER_NOT_FOUND");
      expect(await layers.has(diffId)).toBe(false);
      expect(await commitDirectory("content")).toBe(diffId);
      expect(await freshLayers().has(diffId)).toBe(true);
    },
  );
});

describe("after the machine was started anew", () => {
  const restart = (diffId: DiffId): void => writeFileSync(pathOf(diffId, "boot-id"), "another");

  test("a directory that is whole is read once, then trusted", async () => {
    const diffId = await commitDirectory("content");
    restart(diffId);
    const directory = await freshLayers().directory(diffId, never);
    expect(readFileSync(join(directory, "f"), "utf8")).toBe("content");
    expect(existsSync(pathOf(diffId, "boot-id"))).toBe(false);
  });

  test.each([
    ["emptied", ""],
    ["other bytes", "c0ntent"],
  ])("a directory with a file of %s is not used", async (_, content) => {
    const diffId = await commitDirectory("content");
    writeFileSync(join(await images.layers.directory(diffId, never), "f"), content);
    restart(diffId);
    const layers = freshLayers();
    expect((await rejectionOf(layers.directory(diffId, never))).code).toBe("LAYER_NOT_FOUND");
    expect(await layers.has(diffId)).toBe(false);
  });

  test("a directory that has a tar is made again from that", async () => {
    const diffId = await commitTar("content");
    const before = await images.layers.directory(diffId, never);
    writeFileSync(join(before, "f"), "");
    restart(diffId);
    const after = await freshLayers().directory(diffId, never);
    expect(after).not.toBe(before);
    expect(readFileSync(join(after, "f"), "utf8")).toBe("content");
  });

  test("a directory that was unpacked from a blob is unpacked again", async () => {
    const tarOwner = await commitTar("content");
    const tar = readFileSync(pathOf(tarOwner, "tar"));
    await prune(images.store, { all: true, containers: false, unusedSinceMs: null, keepBytes: null }, never, () => {});
    const bytes = gzipSync(tar);
    const blob = { mediaType: mediaTypes.ociLayerGzip, digest: digestOf(bytes), size: bytes.length };
    const online = openLayerStore(images.store, images.runner, { open: async () => streamOf(bytes) }, () => {});
    await online.addRemote(tarOwner, blob, "registry");
    const before = await online.directory(tarOwner, never);
    writeFileSync(join(before, "f"), "");
    restart(tarOwner);
    const after = await freshLayers().directory(tarOwner, never);
    expect(after).not.toBe(before);
    expect(readFileSync(join(after, "f"), "utf8")).toBe("content");
  });
});

async function* streamOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
