import { readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type DiffId, digestOf, parseDiffId } from "../../../src/base/digest.ts";
import { mediaTypes } from "../../../src/image/media-types.ts";
import type { LayerStore } from "../../../src/store/layer-store.ts";
import { openLayerStore } from "../../../src/store/open-layer-store.ts";
import { openUnheldStore, type Store } from "../../../src/store/open-store.ts";
import { tryPrune } from "../../../src/store/prune.ts";
import { StoreChanged } from "../../../src/store/store-hold.ts";
import { inThreadRunner } from "../../../src/workers/in-thread-runner.ts";
import { useStore } from "../../support/use-store.ts";

const stores = useStore();
const remote = { open: () => Promise.reject(new Error("nothing is fetched here")) };
const layersOf = (store: Store): LayerStore => openLayerStore(store, inThreadRunner, remote, () => {});
const never = new AbortController().signal;
const pruneNothing = { all: false, containers: false, unusedSinceMs: null, keepBytes: null };

async function addLayer(name: string): Promise<DiffId> {
  const diffId = parseDiffId(digestOf(name));
  const blob = { mediaType: mediaTypes.ociLayer, digest: digestOf(`blob of ${name}`), size: 1 };
  await layersOf(stores.store).addRemote(diffId, blob, "example.org/app");
  return diffId;
}

/** The store of the test as another process would open it that may only read. */
async function withUnheld(use: (store: Store) => Promise<void>): Promise<void> {
  const store = await openUnheldStore(stores.store.root);
  try {
    await use(store);
  } finally {
    await store.close();
  }
}

describe("a store that is not held", () => {
  test("is read without a lock or a directory of its own", async () => {
    const diffId = await addLayer("a");
    await withUnheld(async (store) => {
      expect(await layersOf(store).has(diffId)).toBe(true);
      expect(readdirSync(join(store.root, "tmp"))).toHaveLength(1);
      expect(await tryPrune(stores.store, pruneNothing)).not.toBeNull();
    });
  });

  test.each<[string, (store: Store, diffId: DiffId) => Promise<unknown>]>([
    ["when something is written", (store) => store.blobs.putBytes(Buffer.from("new"))],
    ["when a layer is made", (store) => layersOf(store).makeTemporary()],
    ["when a layer is read", (store, diffId) => expect(layersOf(store).readable(diffId, never)).rejects.toThrow()],
  ])("is held from then on %s", async (_, use) => {
    const diffId = await addLayer("a");
    await withUnheld(async (store) => {
      await use(store, diffId);
      expect(await tryPrune(stores.store, pruneNothing)).toBeNull();
    });
    expect(await tryPrune(stores.store, pruneNothing)).not.toBeNull();
  });

  test("is not held when a layer it was found to have is gone by then", async () => {
    const [gone, kept] = [await addLayer("gone"), await addLayer("kept")];
    await withUnheld(async (store) => {
      const layers = layersOf(store);
      expect([await layers.has(gone), await layers.has(kept)]).toEqual([true, true]);
      rmSync(store.paths.layer(gone), { recursive: true });
      await expect(layers.makeTemporary()).rejects.toBeInstanceOf(StoreChanged);
    });
  });

  test("may be begun with again after that", async () => {
    const gone = await addLayer("gone");
    await withUnheld(async (store) => {
      const before = layersOf(store);
      await before.has(gone);
      rmSync(store.paths.layer(gone), { recursive: true });
      await expect(store.hold()).rejects.toBeInstanceOf(StoreChanged);
      const after = layersOf(store);
      expect(await after.has(gone)).toBe(false);
      expect(statSync(await after.makeTemporary()).isDirectory()).toBe(true);
    });
  });
});
