import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { readAll } from "../../../src/layer/file-readers.ts";
import { flattenTree } from "../../../src/layer/flatten-tree.ts";
import { packDirectoryDiff } from "../../../src/layer/pack-directory-diff.ts";
import { openRootfsView } from "../../../src/layer/rootfs-view.ts";
import { describeLayerTree } from "../../conformance/describe-layer-tree.ts";
import { makeLayer, makeLayers } from "../../support/layer-builder.ts";
import { unpackAll } from "../../support/overlay.ts";
import { needsRoot } from "../../support/skip-reason.ts";

describeLayerTree("layers as tars", async (root, layers) => openRootfsView(makeLayers(root, layers)));

describeLayerTree(
  "layers as directories",
  async (root, layers) => {
    const unpacked = await unpackAll(makeLayers(root, layers));
    return openRootfsView(unpacked.map((layer) => ({ ...layer, tarFile: null })));
  },
  { skip: needsRoot },
);

describeLayerTree("a stack flattened into one layer", async (root, layers) => {
  const items = [...flattenTree(openRootfsView(makeLayers(join(root, "stack"), layers)))].map(({ row, open }) => ({
    row,
    content: row.type === "file" ? readAll(open(), 1 << 21) : null,
  }));
  return openRootfsView([makeLayer(join(root, "flat"), items)]);
});

describeLayerTree(
  "layers packed again from their directories",
  async (root, layers) => {
    const unpacked = await unpackAll(makeLayers(root, layers));
    const packed = unpacked.map((layer, at) => {
      const into = join(root, `packed-${at}`);
      mkdirSync(into);
      const upper = layer.directory as string;
      const { diffId } = packDirectoryDiff({
        upper,
        lower: unpacked.slice(0, at),
        into,
        keepTar: false,
        overlayXattrs: "trusted",
      });
      return { diffId, indexFile: join(into, "index"), tarFile: null, directory: upper };
    });
    return openRootfsView(packed);
  },
  { skip: needsRoot },
);
