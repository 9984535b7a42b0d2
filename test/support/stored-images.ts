import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach } from "vitest";
import { type DiffId, digestOf } from "../../src/base/digest.ts";
import type { TaskRunner } from "../../src/base/task.ts";
import { serializeImageConfig } from "../../src/image/config-json.ts";
import { compressBlock, compressBlockTask } from "../../src/layer/compress-block.ts";
import { unpackLayer, unpackLayerTask } from "../../src/layer/unpack-layer.ts";
import { mergeDirectory, mergeDirectoryTask } from "../../src/output/merge-directory.ts";
import type { PlatformImage } from "../../src/output/output.ts";
import { writeRootfsDirectory, writeRootfsDirectoryTask } from "../../src/output/write-rootfs-directory.ts";
import type { LayerStore } from "../../src/store/layer-store.ts";
import { openLayerStore } from "../../src/store/open-layer-store.ts";
import type { Store } from "../../src/store/open-store.ts";
import { bindTask, functionRunner } from "./function-runner.ts";
import { type LayerItem, makeLayer } from "./layer-builder.ts";
import { useStore } from "./use-store.ts";

export interface StoredImages {
  readonly store: Store;
  readonly layers: LayerStore;
  readonly runner: TaskRunner;
  /** A directory next to the store. */
  readonly path: string;
  /** Puts layers into the store, lowest first, and makes an image of them. */
  make(architecture: string, ...layers: readonly (readonly LayerItem[])[]): Promise<PlatformImage>;
}

/** A fresh store for each test of the file that calls this, with what it takes to write its images out. */
export function useStoredImages(): StoredImages {
  const stores = useStore();
  const runner = functionRunner(
    bindTask(unpackLayerTask, unpackLayer),
    bindTask(compressBlockTask, compressBlock),
    bindTask(writeRootfsDirectoryTask, writeRootfsDirectory),
    bindTask(mergeDirectoryTask, mergeDirectory),
  );
  let layers: LayerStore;
  const nothing = { open: () => Promise.reject(new Error("nothing is remote")) };
  beforeEach(() => {
    layers = openLayerStore(stores.store, runner, nothing, () => {});
  });
  return {
    get store() {
      return stores.store;
    },
    get layers() {
      return layers;
    },
    get path() {
      return stores.path;
    },
    runner,
    async make(architecture, ...contents) {
      const diffIds: DiffId[] = [];
      for (const items of contents) {
        const temporary = await layers.makeTemporary();
        const { diffId } = makeLayer(temporary, items);
        await layers.commitTar(temporary, { diffId, sizeBytes: readFileSync(join(temporary, "tar")).length });
        diffIds.push(diffId);
      }
      const platform = { os: "linux", architecture, variant: "", osVersion: "" };
      const config = serializeImageConfig({
        platform,
        author: "",
        created: "2024-05-06T07:08:09Z",
        config: { Cmd: ["sh"] },
        history: diffIds.map(() => ({
          created: "2024-05-06T07:08:09Z",
          createdBy: "test",
          author: "",
          comment: "",
          emptyLayer: false,
        })),
        diffIds,
      });
      return { platform, config, imageId: digestOf(config), diffIds, annotations: new Map() };
    },
  };
}
