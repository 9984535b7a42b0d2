import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type CacheKey, type DiffId, digestOf, hexOf, parseCacheKey } from "../../../src/base/digest.ts";
import { CacheRecords } from "../../../src/store/cache-records.ts";
import { measureStore } from "../../../src/store/disk-usage.ts";
import { openLayerStore } from "../../../src/store/open-layer-store.ts";
import { openStore } from "../../../src/store/open-store.ts";
import { prune, tryPrune } from "../../../src/store/prune.ts";
import type { PruneOptions } from "../../../src/store/prune-plan.ts";
import { file } from "../../support/layer-builder.ts";
import { useStoredImages } from "../../support/stored-images.ts";
import { rejectionOf } from "../../support/thrown-by.ts";

const images = useStoredImages();
const never = new AbortController().signal;
const nothing: PruneOptions = { all: false, containers: false, unusedSinceMs: null, keepBytes: null };
const all: PruneOptions = { ...nothing, all: true };
const run = (options: PruneOptions) => prune(images.store, options, never, () => {});
const keyOf = (text: string): CacheKey => parseCacheKey(digestOf(text));
const records = (): CacheRecords => new CacheRecords(images.store.paths, (diffId) => isThere(diffId));

/** Whether a process that opens the store now finds the layer. */
const isThere = (diffId: DiffId): Promise<boolean> =>
  openLayerStore(images.store, images.runner, { open: () => Promise.reject(new Error("offline")) }, () => {}).has(
    diffId,
  );

/** A layer of the store with one file of the given size. */
async function makeLayer(name: string, sizeBytes = 10): Promise<DiffId> {
  const { diffIds } = await images.make("amd64", [file(name, "x".repeat(sizeBytes))]);
  return diffIds[0] as DiffId;
}

async function saveRecord(name: string, layers: readonly DiffId[], usedAtMs = Date.now()): Promise<CacheKey> {
  const key = keyOf(name);
  const dated = layers.map((diffId) => ({ diffId, createdAtMs: 1 }));
  await records().save({ key, layers: dated, createdAtMs: 1, description: name, inputs: null });
  utimesSync(images.store.paths.cacheRecord(key), usedAtMs / 1000, usedAtMs / 1000);
  return key;
}

describe("prune", () => {
  test("removes what nothing leads to", async () => {
    const orphan = await makeLayer("orphan");
    await images.layers.directory(orphan, never);
    const blob = await images.layers.blob(orphan, { compression: "gzip", level: null }, never);
    const config = await images.store.blobs.putBytes(Buffer.from("a config nobody wants"));
    const kept = await makeLayer("kept");
    await saveRecord("step", [kept]);
    const plan = await run(nothing);
    expect(plan.layers).toEqual([orphan]);
    expect(plan.blobs.toSorted()).toEqual([blob.digest, config].toSorted());
    expect(plan.freedBytes).toBeGreaterThan(0);
    expect(await isThere(orphan)).toBe(false);
    expect(readdirSync(join(images.store.root, "dirs"))).toEqual([]);
    expect(await isThere(kept)).toBe(true);
    expect((await records().lookup(keyOf("step")))?.description).toBe("step");
  });

  test("of everything leaves images whole", async () => {
    const image = await images.make("amd64", [file("a", "1")], [file("b", "2")]);
    const blob = await images.layers.blob(image.diffIds[0] as DiffId, { compression: "gzip", level: null }, never);
    const directory = await images.layers.directory(image.diffIds[1] as DiffId, never);
    await images.store.blobs.putBytes(image.config);
    const manifest = await images.store.blobs.putBytes(Buffer.from("manifest"));
    await images.store.images.tag("docker.io/ns/app:latest", {
      platforms: [image],
      createdAtMs: 1,
      manifests: [manifest],
    });
    const other = await makeLayer("other");
    await saveRecord("step", [...image.diffIds, other]);
    await run(all);
    expect(await isThere(other)).toBe(false);
    expect(await records().lookup(keyOf("step"))).toBeNull();
    expect(await images.store.blobs.readBytes(image.imageId, 1e6)).toEqual(Buffer.from(image.config));
    expect(await images.store.blobs.has(blob)).toBe(true);
    expect((await images.store.blobs.readBytes(manifest, 100)).toString()).toBe("manifest");
    expect(readFileSync(join(directory, "b"), "utf8")).toBe("2");
    for (const diffId of image.diffIds) expect(await isThere(diffId)).toBe(true);
  });

  test("removes records not used since a time, and layers only they need", async () => {
    const [shared, old] = [await makeLayer("shared"), await makeLayer("old")];
    await saveRecord("old", [shared, old], 1_000_000);
    await saveRecord("new", [shared], 3_000_000);
    await run({ ...nothing, unusedSinceMs: 2_000_000 });
    expect(await isThere(old)).toBe(false);
    expect(await isThere(shared)).toBe(true);
    expect(await records().lookup(keyOf("old"))).toBeNull();
    expect(await records().lookup(keyOf("new"))).not.toBeNull();
  });

  test("removes the longest unused first until the rest fits", async () => {
    const layers = await Promise.all([1, 2, 3].map((name) => makeLayer(String(name), 100_000)));
    for (const [at, diffId] of layers.entries()) await saveRecord(`step ${at}`, [diffId], (at + 1) * 1_000_000);
    await run({ ...nothing, keepBytes: 250_000 });
    const left = await Promise.all(layers.map((diffId) => isThere(diffId)));
    expect(left).toEqual([false, true, true]);
    expect((await measureStore(images.store)).sizeBytes).toBeLessThanOrEqual(250_000);
  });

  test("removes aliases whose record is gone, and records that are broken", async () => {
    await saveRecord("kept", [await makeLayer("kept")]);
    await records().saveAlias(keyOf("alias"), keyOf("kept"));
    await records().saveAlias(keyOf("dangling"), keyOf("gone"));
    writeFileSync(images.store.paths.cacheRecord(keyOf("broken")), "{");
    await run(nothing);
    const names = readdirSync(join(images.store.root, "cache")).sort();
    expect(names).toEqual([hexOf(keyOf("kept")), `${hexOf(keyOf("alias"))}.alias`].sort());
  });

  test("keeps what a pin needs until everything goes", async () => {
    const image = await images.make("amd64", [file("base", "1")]);
    await images.store.blobs.putBytes(image.config);
    const manifest = await images.store.blobs.putBytes(Buffer.from("manifest"));
    await images.store.pins.save({
      reference: "docker.io/library/base:latest",
      platform: "linux/amd64",
      digest: manifest,
      manifest,
      imageId: image.imageId,
      resolvedAtMs: 1,
    });
    await run(nothing);
    expect(await isThere(image.diffIds[0] as DiffId)).toBe(true);
    expect((await images.store.blobs.readBytes(manifest, 100)).toString()).toBe("manifest");
    await run(all);
    expect(await images.store.pins.find("docker.io/library/base:latest", "linux/amd64")).toBeNull();
    expect(await isThere(image.diffIds[0] as DiffId)).toBe(false);
  });

  test("of everything removes cache mounts, stat caches and what was set aside", async () => {
    for (const name of ["mounts/apt", "contexts", "quarantine"])
      mkdirSync(join(images.store.root, name), { recursive: true });
    for (const name of ["mounts/apt/list", "contexts/abc", "quarantine/blob"])
      writeFileSync(join(images.store.root, name), "x");
    await run(nothing);
    expect(existsSync(join(images.store.root, "mounts/apt/list"))).toBe(true);
    expect(readdirSync(join(images.store.root, "quarantine"))).toEqual([]);
    await run(all);
    for (const name of ["mounts", "contexts"]) expect(readdirSync(join(images.store.root, name))).toEqual([]);
  });

  test("removes nothing when it cannot know what an image needs", async () => {
    const orphan = await makeLayer("orphan");
    writeFileSync(images.store.paths.image("docker.io~ns~app:latest"), "{}");
    expect((await rejectionOf(run(all))).code).toBe("STORE_RECORD_INVALID");
    expect(await isThere(orphan)).toBe(true);
    expect(await (await openStore(images.store.root)).close()).toBeUndefined();
  });

  test("waits for others to let go of the store, or gives up", async () => {
    const orphan = await makeLayer("orphan");
    const other = await openStore(images.store.root);
    expect(await tryPrune(images.store, all)).toBeNull();
    const impatient = new AbortController();
    const given = rejectionOf(prune(images.store, all, impatient.signal, () => impatient.abort()));
    expect((await given).code).toBe("BUILD_CANCELLED");
    expect(await isThere(orphan)).toBe(true);
    let waited = 0;
    await prune(images.store, all, never, () => {
      waited += 1;
      void other.close();
    });
    expect(waited).toBe(1);
    expect(await isThere(orphan)).toBe(false);
  });

  test("of two processes at once ends in both", async () => {
    const stores = await Promise.all([1, 2].map(() => openStore(join(images.path, "shared"))));
    const orphan = await stores[0]?.blobs.putBytes(Buffer.from("orphan"));
    const plans = await Promise.all(
      stores.map(async (store) => {
        const plan = await prune(store, all, never, () => {});
        await store.close();
        return plan;
      }),
    );
    expect(plans.flatMap(({ blobs }) => blobs)).toEqual([orphan]);
  });

  test("makes those wait who open the store, but not for long", async () => {
    await makeLayer("orphan");
    const pruning = run(all);
    const others = await Promise.all([1, 2, 3].map(() => openStore(images.store.root)));
    for (const other of others) await other.close();
    expect((await pruning).layers).toHaveLength(1);
  });
});

describe("disk usage", () => {
  test("tells what there is and what could go", async () => {
    const image = await images.make("amd64", [file("in image", "x".repeat(1000))]);
    await images.store.blobs.putBytes(image.config);
    await images.store.images.tag("docker.io/ns/app:latest", { platforms: [image], createdAtMs: 1, manifests: [] });
    const cached = await makeLayer("cached", 5000);
    await saveRecord("RUN make", [...image.diffIds, cached], 7_000_000);
    mkdirSync(join(images.store.root, "mounts/apt"));
    writeFileSync(join(images.store.root, "mounts/apt/list"), "x".repeat(300));
    const usage = await measureStore(images.store);
    const byKind = Object.fromEntries(usage.kinds.map(({ kind, ...rest }) => [kind, rest]));
    expect(byKind["cache mounts"]).toEqual({ count: 1, sizeBytes: 300, reclaimableBytes: 300 });
    expect(byKind.blobs).toEqual({ count: 1, sizeBytes: image.config.length, reclaimableBytes: 0 });
    expect(byKind.layers?.count).toBe(2);
    expect(byKind.layers?.sizeBytes).toBeGreaterThan(byKind.layers?.reclaimableBytes ?? 0);
    expect(byKind.layers?.reclaimableBytes).toBeGreaterThan(5000);
    const layer = usage.layers.find(({ diffId }) => diffId === cached);
    expect(layer).toMatchObject({ isInImage: false, description: "RUN make", usedAtMs: 7_000_000 });
    expect(usage.layers.find(({ diffId }) => diffId === image.diffIds[0])?.isInImage).toBe(true);
  });
});
