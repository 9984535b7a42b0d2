import { existsSync } from "node:fs";
import { type Digest, digestOf } from "../base/digest.ts";
import { BuildError } from "../base/errors.ts";
import type { CopyPathsAction } from "../plan/build-graph.ts";
import type { BlobFormat } from "../store/layer-store.ts";
import { hashCopyTask, hashKnownCopy } from "./copy/hash-copy.ts";
import { type HashedSources, type PackCopyInput, type PackCopyOutput, packCopyTask } from "./copy/pack-copy.ts";
import { type PackedAction, sourcesOf } from "./copy/packed-action.ts";
import { SourceTrees } from "./copy/source-trees.ts";
import type { Snapshot } from "./snapshot.ts";
import { addLayer, openSnapshot, openSource, parentOf, type StepContext } from "./step-context.ts";
import { copyKey, readsOfCopy } from "./step-key.ts";
import { parentKey, type SpecOf, type Step } from "./step-op.ts";

/** A layer that is not part of the store yet. */
interface Packed extends PackCopyOutput {
  readonly workDirectory: string;
  readonly parent: Snapshot | null;
  readonly atMs: number;
  readonly place: Digest | null;
}

/**
 * COPY and ADD: a tar form made directly from the source trees, on top of what the parent's indexes tell. Of a context
 * nothing is known about, the layer is made first, since that gives the digests of all files: they are read once.
 * `leavesAs` is what the layer will be compressed to when the build is done; null when nobody is known to want that.
 */
export function copyStep(spec: SpecOf<"copy">, context: StepContext, leavesAs: BlobFormat | null): Step {
  /** What the key says is read, by position of the action. */
  const keyed = new Map<number, Digest>();
  /** Those of them that were hashed in this thread, which knows what it has found. */
  const hashedHere = new Set<number>();
  let ahead: Packed | null = null;
  const pathsActions = spec.actions.filter((action): action is CopyPathsAction => action.kind === "paths");
  const hash = async (
    positions: readonly number[],
    inputs: ReadonlyMap<string, Snapshot>,
    signal: AbortSignal,
  ): Promise<readonly Digest[]> => {
    const selections = await Promise.all(
      positions.map(async (position) => {
        const action = pathsActions[position];
        if (action === undefined) throw new BuildError("INTERNAL", `COPY has no source ${position}`);
        const { paths, parents, excludes } = action;
        return { action: { paths, parents, excludes }, tree: await openSource(action.source, inputs, context, signal) };
      }),
    );
    const known = hashKnownCopy({ selections }, context.knownTrees);
    if (known !== null) {
      for (const position of positions) hashedHere.add(position);
      return known;
    }
    const { digests, newStatCacheRows } = await context.tasks.run(hashCopyTask, { selections }, signal);
    context.noteDigests(newStatCacheRows);
    return digests;
  };
  /** What stays the same of the step when the files it copies change; null when it copies none of a local directory. */
  const placeOf = (actions: readonly PackedAction[]): Digest | null => {
    const roots = actions.map((action) =>
      action.kind === "paths" && action.tree.kind === "directory" ? action.tree.root : null,
    );
    if (roots.every((root) => root === null)) return null;
    return digestOf(JSON.stringify([spec.actions, roots]));
  };
  /** What this thread found when it hashed the trees; null when another one did. */
  const hashedOf = (actions: readonly PackedAction[]): HashedSources | null => {
    if (hashedHere.size < pathsActions.length) return null;
    const trees = actions.flatMap((action) => (action.kind === "paths" ? [action.tree] : []));
    const contexts = context.knownTrees.found(trees);
    if (contexts === null) return null;
    const areSettled = contexts.every(({ found }) => found.isSettled);
    return { contexts, digests: areSettled ? trees.map((_, position) => keyed.get(position) as Digest) : null };
  };
  const pack = async (inputs: ReadonlyMap<string, Snapshot>, signal: AbortSignal): Promise<Packed> => {
    const parent = parentOf(inputs, spec.parent);
    const atMs = context.nowMs();
    const actions = await Promise.all(
      spec.actions.map(async (action): Promise<PackedAction> => {
        if (action.kind === "inline") return action;
        const { source, ...rest } = action;
        return { ...rest, tree: await openSource(source, inputs, context, signal) };
      }),
    );
    const place = placeOf(actions);
    const workDirectory = await context.layers.makeTemporary();
    const input: PackCopyInput = {
      actions,
      parent: parent === null ? null : await openSnapshot(parent, context.layers, signal),
      earlier: place === null ? null : await context.earlierLayers.find(place),
      hashed: hashedOf(actions),
      workDirectory,
      nowSeconds: Math.floor(atMs / 1000),
    };
    const run = (): Promise<PackCopyOutput> => context.tasks.run(packCopyTask, input, signal);
    const output = await (leavesAs === null
      ? run()
      : context.layers.packWhileCompressing(workDirectory, leavesAs, run, signal));
    context.noteDigests(output.newStatCacheRows);
    return { ...output, workDirectory, parent, atMs, place };
  };

  return {
    parents: spec.parent === null ? [] : [spec.parent],
    reads: readsOfCopy(spec),
    key: async (keys, reads) => copyKey(spec, parentKey(keys, spec.parent), reads),

    async hashReads(positions, inputs, signal) {
      if (positions.length === 0) return [];
      const digests = ahead?.digests ?? (await hash(positions, inputs, signal));
      for (const [index, position] of positions.entries()) keyed.set(position, digests[index] as Digest);
      return digests.map((digest) => ({ by: "content", digest }));
    },

    async shouldRunAhead(isForced, signal) {
      if (pathsActions.length === 0) return false;
      const trees = new SourceTrees();
      for (const action of pathsActions) {
        const tree = await openSource(action.source, new Map(), context, signal);
        if (tree.kind !== "directory") return false;
        // A context that is fetched for each build has no stat cache, yet most often it is what it was.
        if (!isForced && (tree.statCache === null || existsSync(tree.statCache))) return false;
        // What is missing is told now, and not after whatever this step stands on has run.
        for (const _ of sourcesOf({ ...action, tree }, trees).sources);
      }
      return true;
    },

    async runAhead(inputs, signal) {
      ahead = await pack(inputs, signal);
    },

    async run(inputs, signal) {
      const { layer, digests, workDirectory, parent, atMs, place } = ahead ?? (await pack(inputs, signal));
      // A layer must never be found under a key that stands for other content.
      if (digests.some((digest, position) => (keyed.get(position) ?? digest) !== digest))
        throw new BuildError("CONTEXT_FILE_CHANGED", "build context: files changed while they were copied", {
          hint: "build again when nothing writes to the context any more",
        });
      await context.layers.commitTar(workDirectory, layer);
      if (place !== null) await context.earlierLayers.save(place, layer.diffId);
      return addLayer(parent, layer.diffId, atMs);
    },
  };
}
