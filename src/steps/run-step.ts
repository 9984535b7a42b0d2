import { join } from "node:path";
import type { DiffId } from "../base/digest.ts";
import { BuildError } from "../base/errors.ts";
import { openTree } from "../context/open-tree.ts";
import type { Platform } from "../image/platform.ts";
import { packDirectoryDiffTask } from "../layer/pack-directory-diff.ts";
import { resolveInTree } from "../layer/resolve-path.ts";
import type { RunMount } from "../plan/build-graph.ts";
import type { ProcessIo } from "../sandbox/runtime.ts";
import { removeTree } from "../store/remove-tree.ts";
import { hashPathTask } from "./copy/hash-copy.ts";
import { packCopyTask } from "./copy/pack-copy.ts";
import { copyAction, fillDirectory } from "./run/fill-directory.ts";
import { overlayDirectories } from "./run/overlay-directories.ts";
import type { CacheSeed, RunSource } from "./run/resolve-mounts.ts";
import { type RunServices, runProcess, workDirectory } from "./run.ts";
import type { Snapshot } from "./snapshot.ts";
import { addLayer, openSnapshot, openSource, parentOf, type StepContext } from "./step-context.ts";
import { readsOfRun, runKey } from "./step-key.ts";
import { parentKey, type SpecOf, type Step } from "./step-op.ts";

/** Takes a step's output as it comes. */
export interface RunOutput {
  write(stream: "stdout" | "stderr", chunk: Uint8Array): void;
  /** Nothing more will come. */
  end(): void;
}

type MountOf<K extends RunMount["kind"]> = Extract<RunMount, { readonly kind: K }>;

/** What a RUN step needs. */
export interface RunStepServices extends RunServices {
  /** Throws RUNTIME_UNAVAILABLE when the machine cannot run programs of a platform; `command` is for the message. */
  checkPrograms(platform: Platform, command: string): void;
}

/** RUN: a directory form, the upper directory of the overlay its process worked on. */
export function runStep(spec: SpecOf<"run">, context: StepContext, services: RunStepServices, output: RunOutput): Step {
  const io: ProcessIo = { output: (stream, chunk) => output.write(stream, chunk) };
  return {
    parents: spec.parent === null ? [] : [spec.parent],
    reads: readsOfRun(spec),
    key: async (keys, reads) => runKey(spec, parentKey(keys, spec.parent), reads),
    checkMachine: () => services.checkPrograms(spec.platform, `RUN ${spec.args.join(" ")}`),

    async hashReads(positions, inputs, signal) {
      const reads = readsOfRun(spec);
      return Promise.all(
        positions.map(async (position) => {
          const read = reads[position];
          if (read === undefined) throw new BuildError("INTERNAL", `RUN has no tree ${position}`);
          const tree = await openSource(read.source, inputs, context, signal);
          const path = read.paths[0] ?? "/";
          const { digest, newStatCacheRows } = await context.tasks.run(hashPathTask, { tree, path }, signal);
          context.noteDigests(newStatCacheRows);
          return { by: "content", digest } as const;
        }),
      );
    },

    async run(inputs, signal) {
      services.runtime.prepare?.();
      const parent = parentOf(inputs, spec.parent);
      const temporary = await context.layers.makeTemporary();
      const [lowers, binds, seeds] = await Promise.all([
        overlayDirectories(diffIdsOf(parent), join(temporary, "implied"), context, signal),
        Promise.all(
          mountsOf(spec, "bind").map((mount, at) =>
            bindSource(mount, inputs, join(temporary, `implied-${at}`), context, signal),
          ),
        ),
        Promise.all(seedsOf(spec).map((seed) => cacheSeed(seed, inputs, context, signal))),
      ]);
      try {
        await runProcess(spec, { lowers, binds, seeds, temporary }, services, io, signal);
      } finally {
        output.end();
      }
      const { layers: lower } = await openSnapshot(parent, context.layers, signal);
      const upper = join(temporary, "dir");
      const [layer] = await Promise.all([
        context.tasks.run(
          packDirectoryDiffTask,
          { upper, lower, into: temporary, keepTar: false, overlayXattrs: "trusted" },
          signal,
        ),
        // takes this thread as long as the other one takes to find what changed
        removeTree(workDirectory(temporary), temporary),
      ]);
      await context.layers.commitDirectory(temporary, layer);
      return addLayer(parent, layer.diffId, context.nowMs());
    },
  };
}

const mountsOf = <K extends RunMount["kind"]>(spec: SpecOf<"run">, kind: K): readonly MountOf<K>[] =>
  spec.mounts.filter((mount): mount is MountOf<K> => mount.kind === kind);

const diffIdsOf = (snapshot: Snapshot | null): readonly DiffId[] =>
  (snapshot?.layers ?? []).map(({ diffId }) => diffId);

type Seed = NonNullable<MountOf<"cache">["seed"]>;

const seedsOf = (spec: SpecOf<"run">): readonly Seed[] =>
  mountsOf(spec, "cache").flatMap(({ seed }) => (seed === null ? [] : [seed]));

/**
 * What a bind mount shows. Of another stage: its layers as they are. Of a context: a copy as a layer, because a context
 * is its files without the ignored ones, owned by root, and must not change while the step runs.
 */
async function bindSource(
  mount: MountOf<"bind">,
  inputs: ReadonlyMap<string, Snapshot>,
  implied: string,
  context: StepContext,
  signal: AbortSignal,
): Promise<RunSource> {
  if (mount.source.kind !== "context") {
    const snapshot = mount.source.kind === "vertex" ? (inputs.get(mount.source.vertex) ?? null) : null;
    return { lowers: await overlayDirectories(diffIdsOf(snapshot), implied, context, signal), path: mount.path };
  }
  const tree = await context.openContext(mount.source.name, signal);
  const resolved = resolveInTree(openTree(tree), mount.path, "all");
  const workDirectory = await context.layers.makeTemporary();
  const isWhole = resolved === "";
  const { layer } = await context.tasks.run(
    packCopyTask,
    {
      actions: [copyAction(tree, isWhole ? "/" : `/${resolved}`, "/", !isWhole)],
      parent: null,
      workDirectory,
      // Equal files make the same layer again, which then exists already.
      nowSeconds: 0,
    },
    signal,
  );
  await context.layers.commitTar(workDirectory, layer);
  return { lowers: [await context.layers.directory(layer.diffId, signal)], path: `/${resolved}` };
}

/** What a new cache begins with: a copy of a directory of a stage, an image or a context. */
async function cacheSeed(
  seed: Seed,
  inputs: ReadonlyMap<string, Snapshot>,
  context: StepContext,
  signal: AbortSignal,
): Promise<CacheSeed> {
  const tree = await openSource(seed.source, inputs, context, signal);
  const { digest } = await context.tasks.run(hashPathTask, { tree, path: seed.path }, signal);
  return { identity: digest, fill: (directory) => fillDirectory(tree, seed.path, directory, context, signal) };
}
