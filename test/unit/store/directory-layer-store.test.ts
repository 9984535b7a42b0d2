import { beforeEach } from "vitest";
import { compressBlock, compressBlockTask } from "../../../src/layer/compress-block.ts";
import { unpackLayer, unpackLayerTask } from "../../../src/layer/unpack-layer.ts";
import type { LayerStore } from "../../../src/store/layer-store.ts";
import { openLayerStore } from "../../../src/store/open-layer-store.ts";
import { describeLayerStore } from "../../conformance/describe-layer-store.ts";
import { bindTask, functionRunner } from "../../support/function-runner.ts";
import { useStore } from "../../support/use-store.ts";

describeLayerStore("DirectoryLayerStore", (remote) => {
  const stores = useStore();
  let layers: LayerStore;
  beforeEach(() => {
    const runner = functionRunner(bindTask(unpackLayerTask, unpackLayer), bindTask(compressBlockTask, compressBlock));
    layers = openLayerStore(stores.store, runner, remote, () => {});
  });
  return {
    get layers() {
      return layers;
    },
    get blobs() {
      return stores.store.blobs;
    },
    get path() {
      return stores.path;
    },
  };
});
