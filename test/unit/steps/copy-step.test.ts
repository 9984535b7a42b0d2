import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { DiffId } from "../../../src/base/digest.ts";
import { openDirectoryTree } from "../../../src/context/directory-tree.ts";
import { mergeStatCache } from "../../../src/context/stat-cache.ts";
import type { DirectorySpec } from "../../../src/context/tree-spec.ts";
import type { LayerLocation } from "../../../src/layer/layer-location.ts";
import { openRootfsView } from "../../../src/layer/rootfs-view.ts";
import { hashCopy, openKnownTrees } from "../../../src/steps/copy/hash-copy.ts";
import { copyStep } from "../../../src/steps/copy-step.ts";
import type { Snapshot } from "../../../src/steps/snapshot.ts";
import type { StepContext } from "../../../src/steps/step-context.ts";
import type { SpecOf } from "../../../src/steps/step-op.ts";
import { openLayerStore } from "../../../src/store/open-layer-store.ts";
import { openStore, type Store } from "../../../src/store/open-store.ts";
import { inThreadRunner } from "../../../src/workers/in-thread-runner.ts";

let directory: string;
let store: Store;
let context: StepContext;

const copyAll: SpecOf<"copy"> = {
  kind: "copy",
  parent: null,
  instruction: "COPY",
  actions: [
    {
      kind: "paths",
      source: { kind: "context", name: "context" },
      paths: ["/"],
      destination: "/",
      chown: null,
      chmod: null,
      parents: false,
      excludes: [],
      unpack: "never",
    },
  ],
};

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "copy-step-"));
  store = await openStore(join(directory, "store"));
  const noRemote = { open: () => Promise.reject(new Error("nothing is remote")) };
  const root = mkdtempSync(join(directory, "context-"));
  writeFileSync(join(root, "file"), "before");
  const statCache = join(directory, "no-stat-cache-yet");
  const tree: DirectorySpec = { kind: "directory", root, ignore: [], ignoreFile: null, statCache };
  context = {
    tasks: inThreadRunner,
    layers: openLayerStore(store, inThreadRunner, noRemote, () => {}),
    layersOfImage: () => [],
    openContext: async () => tree,
    noteDigests: () => {},
    knownTrees: openKnownTrees(),
    httpNotes: { find: async () => null, save: async () => {} },
    earlierLayers: { find: async () => null, save: async () => {} },
    nowMs: () => 1_700_000_000_000,
  };
});

afterEach(async () => {
  await store.close();
  rmSync(directory, { recursive: true, force: true });
});

const signal = new AbortController().signal;
const contextFile = async (): Promise<string> => {
  const tree = await context.openContext("context", signal);
  return tree.kind === "directory" ? join(tree.root, "file") : "";
};

test("copies what its key was made of", async () => {
  const step = copyStep(copyAll, context, null);
  await step.hashReads([0], new Map(), signal);
  const { layers } = await step.run(new Map(), signal);
  expect(layers).toHaveLength(1);
  expect(readdirSync(join(store.root, "layers"))).toEqual([layers[0]?.diffId.slice("sha256:".length)]);
});

test("refuses to store a layer when a file changed after its key was made", async () => {
  const step = copyStep(copyAll, context, null);
  await step.hashReads([0], new Map(), signal);
  writeFileSync(await contextFile(), "after!");
  await expect(step.run(new Map(), signal)).rejects.toMatchObject({ code: "CONTEXT_FILE_CHANGED" });
  expect(readdirSync(join(store.root, "layers"))).toEqual([]);
});

/** The context's tasks, which note their names in `names`. */
const notingTasks = (names: string[]): StepContext => ({
  ...context,
  tasks: {
    run: (task, input, signal) => {
      names.push(task.name);
      return inThreadRunner.run(task, input, signal);
    },
  },
});

test("reads a context that nothing is known about once", async () => {
  const tasks: string[] = [];
  const step = copyStep(copyAll, notingTasks(tasks), null);
  expect(await step.shouldRunAhead?.(false, signal)).toBe(true);
  await step.runAhead?.(new Map(), signal);
  const reads = await step.hashReads([0], new Map(), signal);
  const { layers } = await step.run(new Map(), signal);
  expect(tasks).toEqual(["copy.pack"]);
  expect(await copyStep(copyAll, context, null).hashReads([0], new Map(), signal)).toEqual(reads);
  expect(readdirSync(join(store.root, "layers"))).toEqual([layers[0]?.diffId.slice("sha256:".length)]);
});

test.each([
  { what: "digests of the context are known", isForced: false, isFetched: false, want: false },
  { what: "the context is fetched for each build", isForced: false, isFetched: true, want: false },
  { what: "nothing may be found", isForced: true, isFetched: false, want: true },
])("runs ahead: $want when $what", async ({ isForced, isFetched, want }) => {
  const tree = (await context.openContext("context", signal)) as DirectorySpec;
  const statCache = isFetched ? null : join(directory, "stat-cache");
  if (statCache !== null) writeFileSync(statCache, "");
  const step = copyStep(copyAll, { ...context, openContext: async () => ({ ...tree, statCache }) }, null);
  expect(await step.shouldRunAhead?.(isForced, signal)).toBe(want);
});

test("tells that a source is missing before it runs ahead", async () => {
  const [action] = copyAll.actions;
  const step = copyStep(
    { ...copyAll, actions: [{ ...action, paths: ["/missing"] } as typeof action] } as typeof copyAll,
    context,
    null,
  );
  await expect(step.shouldRunAhead?.(false, signal)).rejects.toMatchObject({ code: "CONTEXT_PATH_NOT_FOUND" });
});

test("hashes a context of which little is not known without a task", async () => {
  const statCache = join(directory, "stat-cache");
  const root = dirname(await contextFile());
  const past = new Date(Date.now() - 3_600_000);
  utimesSync(join(root, "file"), past, past);
  const tree: DirectorySpec = { kind: "directory", root, ignore: [], ignoreFile: null, statCache };
  const tasks: string[] = [];
  const withCache: StepContext = { ...notingTasks(tasks), openContext: async () => tree };
  const inNewBuild = () => copyStep(copyAll, { ...withCache, knownTrees: openKnownTrees() }, null);
  const selections = [{ action: { paths: ["/"], parents: false, excludes: [] }, tree }];
  const later = (): bigint => BigInt(Date.now() + 3_600_000) * 1_000_000n;
  const known = openDirectoryTree(tree, later);
  for (const entry of known.list("")) known.digest(entry);
  mergeStatCache(statCache, [known.newDigests()]);

  const [read] = await inNewBuild().hashReads([0], new Map(), signal);
  expect(read).toEqual({ by: "content", digest: hashCopy({ selections }).digests[0] });
  expect(tasks).toEqual([]);

  writeFileSync(join(root, "little"), "new");
  const [changed] = await inNewBuild().hashReads([0], new Map(), signal);
  expect(changed).toEqual({ by: "content", digest: hashCopy({ selections }).digests[0] });
  expect(tasks).toEqual([]);

  writeFileSync(join(root, "much"), Buffer.alloc(5 << 20));
  await inNewBuild().hashReads([0], new Map(), signal);
  expect(tasks).toEqual(["copy.hash"]);
});

/** A step that copies a context of which all is known but what is written from now on, and its directory. */
async function stepOfKnownContext() {
  const statCache = join(directory, "stat-cache");
  const tree: DirectorySpec = { ...((await context.openContext("context", signal)) as DirectorySpec), statCache };
  const known = openDirectoryTree(tree, () => BigInt(Date.now() + 3_600_000) * 1_000_000n);
  for (const entry of known.list("")) known.digest(entry);
  mergeStatCache(statCache, [known.newDigests()]);
  return { root: tree.root, step: copyStep(copyAll, { ...context, openContext: async () => tree }, null) };
}

async function filesOf({ layers }: Snapshot): Promise<readonly string[]> {
  const locations = await Promise.all(layers.map(({ diffId }) => context.layers.readable(diffId, signal)));
  return openRootfsView(locations)
    .list("")
    .map(({ path }) => path);
}

test("packs what was there when its key was made", async () => {
  const { root, step } = await stepOfKnownContext();
  await step.hashReads([0], new Map(), signal);
  writeFileSync(join(root, "later"), "");
  expect(await filesOf(await step.run(new Map(), signal))).toEqual(["file"]);
});

test("packs no file that changed after its key was made from what was known of it", async () => {
  const { root, step } = await stepOfKnownContext();
  await step.hashReads([0], new Map(), signal);
  writeFileSync(join(root, "file"), "after!");
  await expect(step.run(new Map(), signal)).rejects.toMatchObject({ code: "CONTEXT_FILE_CHANGED" });
  expect(readdirSync(join(store.root, "layers"))).toEqual([]);
});

test("hands its layer on to the next build of the same instruction, and of no other", async () => {
  const saved = new Map<string, DiffId>();
  const given: (LayerLocation | null)[] = [];
  const remembering: StepContext = {
    ...context,
    earlierLayers: {
      find: async (key) => {
        const diffId = saved.get(key);
        const found = diffId === undefined ? null : await context.layers.readable(diffId, signal);
        given.push(found);
        return found;
      },
      save: async (key, diffId) => {
        saved.set(key, diffId);
      },
    },
  };
  const first = await copyStep(copyAll, remembering, null).run(new Map(), signal);
  writeFileSync(await contextFile(), "after, and longer");
  const second = await copyStep(copyAll, remembering, null).run(new Map(), signal);
  const elsewhere = copyAll.actions.map((action) => ({ ...action, destination: "/elsewhere/" }));
  await copyStep({ ...copyAll, actions: elsewhere }, remembering, null).run(new Map(), signal);
  expect(given.map((layer) => layer?.diffId ?? null)).toEqual([null, first.layers[0]?.diffId, null]);
  expect([...saved.values()][0]).toBe(second.layers[0]?.diffId);
});
