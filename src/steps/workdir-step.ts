import { addLayer, openSnapshot, parentOf, type StepContext } from "./step-context.ts";
import { workdirKey } from "./step-key.ts";
import { parentKey, readsNothing, type SpecOf, type Step } from "./step-op.ts";
import { packWorkdirTask } from "./workdir.ts";

/** WORKDIR: a layer with the directories that are missing, empty when none is. */
export function workdirStep(spec: SpecOf<"workdir">, context: StepContext): Step {
  return {
    ...readsNothing,
    parents: spec.parent === null ? [] : [spec.parent],
    key: async (keys) => workdirKey(spec, parentKey(keys, spec.parent)),
    async run(inputs, signal) {
      const parent = parentOf(inputs, spec.parent);
      const nowMs = context.nowMs();
      const workDirectory = await context.layers.makeTemporary();
      const { path, user, epoch } = spec;
      const { layer } = await context.tasks.run(
        packWorkdirTask,
        {
          parent: parent === null ? null : await openSnapshot(parent, context.layers, signal),
          path,
          user,
          epoch,
          nowSeconds: Math.floor(nowMs / 1000),
          workDirectory,
        },
        signal,
      );
      await context.layers.commitTar(workDirectory, layer);
      return addLayer(parent, layer.diffId, nowMs);
    },
  };
}
