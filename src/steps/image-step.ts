import type { StepContext } from "./step-context.ts";
import { imageKey } from "./step-key.ts";
import { readsNothing, type SpecOf, type Step } from "./step-op.ts";

/** FROM an image: its layers, none of which is fetched before something needs it. */
export function imageStep(spec: SpecOf<"image">, context: StepContext): Step {
  const diffIds = context.layersOfImage(spec.manifest);
  return {
    ...readsNothing,
    parents: [],
    key: async () => imageKey(diffIds),
    // The time of a base layer stands in the base's own history.
    run: async () => ({ layers: diffIds.map((diffId) => ({ diffId, createdAtMs: 0 })) }),
  };
}
