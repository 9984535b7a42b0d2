import { existsSync, mkdirSync, mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type DiffId, type Digest, digestOf } from "../../../src/base/digest.ts";
import type { ContainerRecord } from "../../../src/store/container-record.ts";
import type { OpenContainer } from "../../../src/store/container-store.ts";
import { measureStore } from "../../../src/store/disk-usage.ts";
import { prune } from "../../../src/store/prune.ts";
import type { PruneOptions } from "../../../src/store/prune-plan.ts";
import { file } from "../../support/layer-builder.ts";
import { useStoredImages } from "../../support/stored-images.ts";
import { rejectionOf } from "../../support/thrown-by.ts";

const images = useStoredImages();
const containers = () => images.store.containers;

const recordOf = (digit: string, changes: Partial<ContainerRecord> = {}): ContainerRecord => ({
  id: digit.repeat(64),
  name: `name-${digit}`,
  image: "busybox",
  imageId: digestOf(`image ${digit}`),
  diffIds: [],
  args: ["sh", "-c", "true"],
  createdAtMs: Number.parseInt(digit, 16),
  isTransient: false,
  imageConfig: "{}",
  ...changes,
});

async function add(record: ContainerRecord): Promise<OpenContainer> {
  const draft = mkdtempSync(join(images.store.paths.temporary, "draft-"));
  mkdirSync(join(draft, "dir"));
  writeFileSync(join(draft, "dir", "file"), "changed");
  return containers().add(draft, record);
}

async function addEnded(record: ContainerRecord): Promise<void> {
  const container = await add(record);
  await container.noteStart({ pid: 7, startedAtMs: 1, mountPoints: [{ path: "etc/hosts", type: "file" }] });
  await container.noteExit({ exitCode: 3, finishedAtMs: 2 });
  container.close();
}

describe("a container", () => {
  test("runs until it is closed, and then has ended as was noted", async () => {
    const container = await add(recordOf("a"));
    expect(await containers().list()).toEqual([{ ...recordOf("a"), isRunning: true, start: null, exit: null }]);
    await container.noteStart({ pid: 7, startedAtMs: 1, mountPoints: [{ path: "etc/hosts", type: "file" }] });
    await container.noteExit({ exitCode: 3, finishedAtMs: 2 });
    container.close();
    expect(await containers().get("a".repeat(64))).toMatchObject({
      isRunning: false,
      start: { pid: 7, startedAtMs: 1, mountPoints: [{ path: "etc/hosts", type: "file" }] },
      exit: { exitCode: 3, finishedAtMs: 2 },
    });
  });

  test("whose process was killed has ended nobody knows how", async () => {
    (await add(recordOf("a"))).close();
    expect(await containers().open("name-a")).toMatchObject({ isRunning: false, exit: null });
  });

  test("is not removed while it runs", async () => {
    const container = await add(recordOf("a"));
    const error = await rejectionOf(containers().remove(container.id));
    expect(error).toMatchObject({ code: "CONTAINER_IN_USE" });
    container.close();
    expect(await containers().remove(container.id)).toBe(true);
    expect(await containers().remove(container.id)).toBe(false);
    expect(readdirSync(join(images.store.root, "containers"))).toEqual(["lock"]);
  });

  test.each(["", "x", "-name", "a b", "../up", "a/b", "n".repeat(200)])("is not called %j", async (name) => {
    expect(await rejectionOf(add(recordOf("a", { name })))).toMatchObject({ code: "USAGE_INVALID" });
    expect(await containers().list()).toEqual([]);
  });

  test("has a name of its own", async () => {
    await addEnded(recordOf("a", { name: "shell" }));
    expect(await rejectionOf(add(recordOf("b", { name: "shell" })))).toMatchObject({
      code: "CONTAINER_IN_USE",
      message: expect.stringContaining("aaaaaaaaaaaa"),
    });
  });
});

describe("finding a container", () => {
  test.each([
    ["its ID", "a1".repeat(32), "a1"],
    ["the beginning of its ID", "a1a", "a1"],
    ["its name", "name-x", "b2"],
  ])("by %s", async (_, text, found) => {
    await addEnded(recordOf("a", { id: "a1".repeat(32), name: "name-y" }));
    await addEnded(recordOf("b", { id: "b2".repeat(32), name: "name-x" }));
    expect(await containers().find(text)).toBe(found.repeat(32));
  });

  test("says when a text fits none or several", async () => {
    await addEnded(recordOf("a", { id: `a1${"0".repeat(62)}` }));
    await addEnded(recordOf("b", { id: `a2${"0".repeat(62)}` }));
    for (const text of ["nobody", "a", "b", "", "..", "lock"])
      expect(await rejectionOf(containers().find(text))).toMatchObject({ code: "CONTAINER_NOT_FOUND" });
  });

  test("works for one whose record is broken, so that it can be removed", async () => {
    await addEnded(recordOf("a"));
    writeFileSync(join(images.store.paths.container("a".repeat(64)), "container.json"), "{");
    expect(await rejectionOf(containers().list())).toMatchObject({ code: "STORE_RECORD_INVALID" });
    expect(await containers().remove(await containers().find("aaaa"))).toBe(true);
    expect(await containers().list()).toEqual([]);
  });
});

test("sweeping removes transient containers that do not run, and only those", async () => {
  const running = await add(recordOf("a", { isTransient: true }));
  (await add(recordOf("b", { isTransient: true }))).close();
  await addEnded(recordOf("c"));
  await containers().sweep();
  expect((await containers().list()).map(({ name }) => name)).toEqual(["name-c", "name-a"]);
  running.close();
});

describe("prune", () => {
  const nothing: PruneOptions = { all: false, containers: false, unusedSinceMs: null, keepBytes: null };
  const run = (options: Partial<PruneOptions> = {}) =>
    prune(images.store, { ...nothing, ...options }, new AbortController().signal, () => {});

  async function addWithLayer(
    digit: string,
  ): Promise<{ readonly imageId: Digest; readonly layer: DiffId; readonly container: OpenContainer }> {
    const { diffIds, config } = await images.make("amd64", [file(`file-${digit}`, digit)]);
    const imageId = await images.store.blobs.putBytes(config);
    const container = await add(recordOf(digit, { imageId, diffIds }));
    return { imageId, layer: diffIds[0] as DiffId, container };
  }

  test("keeps what containers need, whether they run or not", async () => {
    const { container } = await addWithLayer("a");
    (await addWithLayer("b")).container.close();
    expect(await run({ all: true })).toMatchObject({ layers: [], blobs: [], items: [] });
    container.close();
  });

  test("of containers removes those that do not run, with what only they need", async () => {
    const running = await addWithLayer("a");
    const ended = await addWithLayer("b");
    ended.container.close();
    const plan = await run({ containers: true });
    expect(plan).toMatchObject({ layers: [ended.layer], blobs: [ended.imageId] });
    expect(existsSync(running.container.directory)).toBe(true);
    expect(existsSync(ended.container.directory)).toBe(false);
    running.container.close();
  });

  test("spares containers that ended a short time ago", async () => {
    await addEnded(recordOf("a"));
    expect(await run({ containers: true, unusedSinceMs: 2 })).toMatchObject({ items: [] });
    expect(await run({ containers: true, unusedSinceMs: 3 })).toMatchObject({ items: [expect.any(String)] });
  });

  test("takes transient containers whose process was killed without being asked", async () => {
    (await add(recordOf("a", { isTransient: true }))).close();
    expect((await run()).items).toHaveLength(1);
  });

  test("counts what containers changed", async () => {
    const { container } = await addWithLayer("a");
    const kindOf = async () => (await measureStore(images.store)).kinds.find(({ kind }) => kind === "containers");
    const running = await kindOf();
    expect(running).toMatchObject({ count: 1, reclaimableBytes: 0 });
    expect(running?.sizeBytes).toBeGreaterThan("changed".length);
    container.close();
    expect((await kindOf())?.reclaimableBytes).toBe(running?.sizeBytes);
  });
});
