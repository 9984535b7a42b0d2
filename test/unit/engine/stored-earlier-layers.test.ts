import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { asDiffId, digestOf } from "../../../src/base/digest.ts";
import { storedEarlierLayers } from "../../../src/engine/stored-earlier-layers.ts";
import { openStore, type Store } from "../../../src/store/open-store.ts";
import { useTemporaryDirectory } from "../../support/temporary-directory.ts";

const temporary = useTemporaryDirectory();
const key = digestOf("COPY . /");
const diffId = asDiffId(digestOf("layer"));

async function withStore(work: (store: Store) => Promise<void>): Promise<void> {
  const store = await openStore(join(temporary.path, "store"));
  try {
    for (const name of ["index", "tar"] as const) {
      mkdirSync(store.paths.layer(diffId), { recursive: true });
      writeFileSync(store.paths.layerFile(diffId, name), name);
    }
    await work(store);
  } finally {
    await store.close();
  }
}

test("finds the layer last saved, also in the next process", () =>
  withStore(async (store) => {
    const layers = storedEarlierLayers(store);
    expect(await layers.find(key)).toBeNull();
    await layers.save(key, asDiffId(digestOf("another layer")));
    await layers.save(key, diffId);
    expect(await storedEarlierLayers(store).find(key)).toEqual({
      diffId,
      indexFile: store.paths.layerFile(diffId, "index"),
      tarFile: store.paths.layerFile(diffId, "tar"),
      directory: null,
    });
    expect(await layers.find(digestOf("COPY . /elsewhere"))).toBeNull();
  }));

test.each(["index", "tar"] as const)("a layer without %s is none", (name) =>
  withStore(async (store) => {
    const layers = storedEarlierLayers(store);
    await layers.save(key, diffId);
    rmSync(store.paths.layerFile(diffId, name));
    expect(await layers.find(key)).toBeNull();
  }),
);

test.each(["", "sha256:1", "../../../etc", "\0".repeat(71)])("the damaged note %j is none", (text) =>
  withStore(async (store) => {
    const layers = storedEarlierLayers(store);
    await layers.save(key, diffId);
    for (const name of readdirSync(store.contextsDirectory)) writeFileSync(join(store.contextsDirectory, name), text);
    expect(await layers.find(key)).toBeNull();
  }),
);
