import type { Digest } from "../base/digest.ts";
import { BuildError } from "../base/errors.ts";
import type { CopyPathsAction } from "../plan/build-graph.ts";
import { hashCopyTask } from "./copy/hash-copy.ts";
import { type PackedAction, packCopyTask } from "./copy/pack-copy.ts";
import { addLayer, openSnapshot, openSource, parentOf, type StepContext } from "./step-context.ts";
import { copyKey, readsOfCopy } from "./step-key.ts";
import { parentKey, type SpecOf, type Step } from "./step-op.ts";

/** COPY and ADD: a tar form made directly from the source trees, on top of what the parent's indexes tell. */
export function copyStep(spec: SpecOf<"copy">, context: StepContext): Step {
  /** What the key says is read, by position of the action. */
  const keyed = new Map<number, Digest>();
  const pathsActions = spec.actions.filter((action): action is CopyPathsAction => action.kind === "paths");
  return {
    parents: spec.parent === null ? [] : [spec.parent],
    reads: readsOfCopy(spec),
    key: async (keys, reads) => copyKey(spec, parentKey(keys, spec.parent), reads),

    async hashReads(positions, inputs, signal) {
      if (positions.length === 0) return [];
      const selections = await Promise.all(
        positions.map(async (position) => {
          const action = pathsActions[position];
          if (action === undefined) throw new BuildError("INTERNAL", `COPY has no source ${position}`);
          const { paths, parents, excludes } = action;
          return {
            action: { paths, parents, excludes },
            tree: await openSource(action.source, inputs, context, signal),
          };
        }),
      );
      const { digests, newStatCacheRows } = await context.tasks.run(hashCopyTask, { selections }, signal);
      context.noteDigests(newStatCacheRows);
      for (const [index, position] of positions.entries()) keyed.set(position, digests[index] as Digest);
      return digests.map((digest) => ({ by: "content", digest }));
    },

    async run(inputs, signal) {
      const parent = parentOf(inputs, spec.parent);
      const nowMs = context.nowMs();
      const actions = await Promise.all(
        spec.actions.map(async (action): Promise<PackedAction> => {
          if (action.kind === "inline") return action;
          const { source, ...rest } = action;
          return { ...rest, tree: await openSource(source, inputs, context, signal) };
        }),
      );
      const workDirectory = await context.layers.makeTemporary();
      const { layer, digests, newStatCacheRows } = await context.tasks.run(
        packCopyTask,
        {
          actions,
          parent: parent === null ? null : await openSnapshot(parent, context.layers, signal),
          workDirectory,
          nowSeconds: Math.floor(nowMs / 1000),
        },
        signal,
      );
      context.noteDigests(newStatCacheRows);
      // A layer must never be found under a key that stands for other content.
      if (digests.some((digest, position) => (keyed.get(position) ?? digest) !== digest))
        throw new BuildError("CONTEXT_FILE_CHANGED", "build context: files changed while they were copied", {
          hint: "build again when nothing writes to the context any more",
        });
      await context.layers.commitTar(workDirectory, layer);
      return addLayer(parent, layer.diffId, nowMs);
    },
  };
}
