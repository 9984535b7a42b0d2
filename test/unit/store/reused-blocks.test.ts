import { randomBytes } from "node:crypto";
import { closeSync, existsSync, fstatSync, openSync, readFileSync, writeSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { type DiffId, digestOf } from "../../../src/base/digest.ts";
import type { TaskRunner } from "../../../src/base/task.ts";
import { compressBlock, compressBlockTask } from "../../../src/layer/compress-block.ts";
import type { LayerStore } from "../../../src/store/layer-store.ts";
import { openLayerStore } from "../../../src/store/open-layer-store.ts";
import { bindTask, functionRunner } from "../../support/function-runner.ts";
import { file, type LayerItem, makeLayer } from "../../support/layer-builder.ts";
import { useStore } from "../../support/use-store.ts";

const stores = useStore();
const never = new AbortController().signal;
const gzip = { compression: "gzip", level: null } as const;

/** A store as another process opens it, and how many blocks it compresses. */
function openLayers(): { readonly layers: LayerStore; compressed(): number } {
  const runner = functionRunner(bindTask(compressBlockTask, compressBlock));
  const nothing = { open: () => Promise.reject(new Error("nothing is remote")) };
  const layers = openLayerStore(stores.store, runner, nothing, () => {});
  return { layers, compressed: () => runner.ran.length };
}

async function commit(layers: LayerStore, items: readonly LayerItem[]): Promise<{ diffId: DiffId; tar: Buffer }> {
  const temporary = await layers.makeTemporary();
  const { diffId } = makeLayer(temporary, items);
  const tar = readFileSync(join(temporary, "tar"));
  await layers.commitTar(temporary, { diffId, sizeBytes: tar.length });
  return { diffId, tar };
}

const noise = randomBytes(16_000).toString("base64");
const content = (at: number): string => `${at}${noise.slice(at % 9000, (at % 9000) + 8000)}`;
/** Some 11 MB. */
const tree = Array.from({ length: 1300 }, (_, at) => file(`module-${at}.js`, content(at)));
const replaced = (at: number, item: LayerItem): readonly LayerItem[] => tree.toSpliced(at, 1, item);

async function compressTwice(
  second: readonly LayerItem[],
  between: (blob: string) => void = () => {},
): Promise<{ first: number; again: number }> {
  const before = openLayers();
  const one = await commit(before.layers, tree);
  const blob = await before.layers.blob(one.diffId, gzip, never);
  between(stores.store.blobs.path(blob.digest));
  const after = openLayers();
  const two = await commit(after.layers, second);
  const { digest } = await after.layers.blob(two.diffId, gzip, never);
  const bytes = readFileSync(stores.store.blobs.path(digest));
  expect(digestOf(bytes)).toBe(digest);
  expect(gunzipSync(bytes).equals(two.tar)).toBe(true);
  return { first: before.compressed(), again: after.compressed() };
}

test.each<[string, readonly LayerItem[]]>([
  ["has other content", replaced(1000, file("module-1000.js", `other ${content(1000)}`))],
  ["is one more", [...tree, file("module-1000a.js", content(1000))]],
  ["is gone", tree.toSpliced(1000, 1)],
])("when one file of many %s, only the blocks around it are compressed", async (_name, second) => {
  const { first, again } = await compressTwice(second);
  expect(first).toBeGreaterThan(6);
  expect(again).toBeGreaterThan(0);
  expect(again).toBeLessThanOrEqual(3);
});

test("the bytes are those of a store that knew nothing", async () => {
  const second = replaced(5, file("module-5.js", "five"));
  const fresh = await commit(openLayers().layers, second);
  const { digest } = await openLayers().layers.blob(fresh.diffId, gzip, never);
  await commit(openLayers().layers, tree);
  const blocks = stores.store.paths.layerFile(fresh.diffId, "blocks.json");
  expect(existsSync(blocks)).toBe(true);
  const other = openLayers();
  const { diffId } = await commit(other.layers, [...second, file("zzz", "z")]);
  const reused = readFileSync(stores.store.blobs.path((await other.layers.blob(diffId, gzip, never)).digest));
  expect(other.compressed()).toBeLessThanOrEqual(2);
  const first = readFileSync(stores.store.blobs.path(digest));
  const shared = first.length >> 1;
  expect(reused.subarray(0, shared).equals(first.subarray(0, shared))).toBe(true);
});

test("a layer that is compressed while it is packed is not compressed again, and has the same bytes", async () => {
  const before = openLayers();
  const one = await commit(before.layers, tree);
  const want = await before.layers.blob(one.diffId, gzip, never);
  await stores.store.blobs.quarantine(want.digest);
  const { layers, compressed } = openLayers();
  const temporary = await layers.makeTemporary();
  const pack = async (): Promise<{ layer: { diffId: DiffId; sizeBytes: number } }> => {
    const { diffId } = makeLayer(temporary, tree);
    while (compressed() === 0) await setImmediate();
    return { layer: { diffId, sizeBytes: one.tar.length } };
  };
  const { layer } = await layers.packWhileCompressing(temporary, gzip, pack, never);
  await layers.commitTar(temporary, layer);
  expect(await layers.blob(layer.diffId, gzip, never)).toEqual(want);
  expect(compressed()).toBe(before.compressed());
  expect(digestOf(readFileSync(stores.store.blobs.path(want.digest)))).toBe(want.digest);
});

test("however many layers are compressed at a time, no more blocks are in memory than two of them need", async () => {
  let most = 0;
  let current = 0;
  const counting: TaskRunner = {
    async run(task, input) {
      current += 1;
      most = Math.max(most, current);
      await setImmediate();
      current -= 1;
      return functionRunner(bindTask(compressBlockTask, compressBlock)).run(task, input);
    },
  };
  const nothing = { open: () => Promise.reject(new Error("nothing is remote")) };
  const layers = openLayerStore(stores.store, counting, nothing, () => {});
  const trees = Array.from({ length: 8 }, (_, at) => [...tree.slice(0, 300), file("zzz", `${at}`)]);
  const made: DiffId[] = [];
  for (const items of trees) made.push((await commit(layers, items)).diffId);
  await Promise.all(made.map((diffId) => layers.blob(diffId, gzip, never)));
  expect(most).toBeGreaterThan(0);
  expect(most).toBeLessThanOrEqual(2 * 2 * availableParallelism());
});

test("packing that fails says why, and leaves nothing to wait for", async () => {
  const { layers } = openLayers();
  const temporary = await layers.makeTemporary();
  const pack = (): Promise<never> => Promise.reject(new Error("the context changed"));
  await expect(layers.packWhileCompressing(temporary, gzip, pack, never)).rejects.toThrow("the context changed");
});

test("another level shares nothing", async () => {
  const { layers, compressed } = openLayers();
  const { diffId } = await commit(layers, tree);
  await layers.blob(diffId, gzip, never);
  const blocks = compressed();
  await layers.blob(diffId, { compression: "gzip", level: 1 }, never, true);
  expect(compressed()).toBe(2 * blocks);
});

test("a damaged block is compressed again", async () => {
  const damage = (blob: string): void => {
    const fd = openSync(blob, "r+");
    writeSync(fd, "damage", fstatSync(fd).size >> 1);
    closeSync(fd);
  };
  const { again } = await compressTwice([...tree, file("zzz", "z")], damage);
  expect(again).toBe(2);
});

test("blocks of a blob that is gone are compressed again", async () => {
  const { layers, compressed } = openLayers();
  const { diffId } = await commit(layers, tree);
  const blob = await layers.blob(diffId, gzip, never);
  const blocks = compressed();
  await stores.store.blobs.quarantine(blob.digest);
  expect(await layers.blob(diffId, gzip, never)).toEqual(blob);
  expect(compressed()).toBe(2 * blocks);
});
