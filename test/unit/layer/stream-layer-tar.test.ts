import { appendFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { encodeTar } from "../../../src/layer/encode-tar.ts";
import { flattenTree } from "../../../src/layer/flatten-tree.ts";
import { openRootfsView } from "../../../src/layer/rootfs-view.ts";
import { streamLayerTar } from "../../../src/layer/stream-layer-tar.ts";
import { unpackLayer } from "../../../src/layer/unpack-layer.ts";
import { dir, file, hardlink, makeLayer, makeLayers, symlink, whiteout } from "../../support/layer-builder.ts";
import { useTemporaryDirectory } from "../../support/temporary-directory.ts";

const temporary = useTemporaryDirectory();

test("a layer's tar is streamed as it is", () => {
  const layer = makeLayer(temporary.path, [file("f", "x".repeat(1_500_000)), symlink("l", "f")]);
  expect(Buffer.concat([...streamLayerTar(layer)]).equals(readFileSync(layer.tarFile as string))).toBe(true);
});

test("a tar that has changed is noticed at the end", () => {
  const layer = makeLayer(temporary.path, [file("f", "x")]);
  appendFileSync(layer.tarFile as string, "x");
  expect(() => [...streamLayerTar(layer)]).toThrow(expect.objectContaining({ code: "BLOB_DIGEST_MISMATCH" }));
});

test("the tar of a foreign layer cannot be made from its directory", async () => {
  const { diffId, tarFile } = makeLayer(temporary.path, [file("f", "x")]);
  const indexFile = join(temporary.path, "foreign");
  await unpackLayer({
    source: tarFile as string,
    blob: null,
    diffId,
    indexFile,
    tarFile: null,
    directory: null,
    overlayXattrs: "trusted",
  });
  const layer = { diffId, indexFile, tarFile: null, directory: temporary.path };
  expect(() => [...streamLayerTar(layer)]).toThrow(expect.objectContaining({ code: "LAYER_NOT_FOUND" }));
});

test("a stack flattens into the tar of one layer with the same tree", () => {
  const layers = makeLayers(join(temporary.path, "stack"), [
    [dir("a"), file("a/f", "1"), file("a/g", "2"), hardlink("h", "a/g"), file("x", "gone")],
    [dir("a", { mode: 0o700 }), file("a/f", "3"), whiteout("x"), symlink("z", "a/f")],
  ]);
  const want = makeLayer(join(temporary.path, "flat"), [
    dir("a", { mode: 0o700 }),
    file("a/f", "3"),
    file("a/g", "2"),
    hardlink("h", "a/g"),
    symlink("z", "a/f"),
  ]);
  const flat = Buffer.concat([...encodeTar(flattenTree(openRootfsView(layers)))]);
  expect(flat.equals(readFileSync(want.tarFile as string))).toBe(true);
});

test("an empty stack flattens into the empty tar", () => {
  expect(Buffer.concat([...encodeTar(flattenTree(openRootfsView([])))])).toEqual(Buffer.alloc(1024));
});
