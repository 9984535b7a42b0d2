import { parentOf } from "./step-context.ts";
import { mergeKey } from "./step-key.ts";
import { keyOf, parentKey, readsNothing, type SpecOf, type Step } from "./step-op.ts";

/** `COPY --link`: a layer that was made from nothing, put on top of whatever the stage has become. */
export function mergeStep(spec: SpecOf<"merge">): Step {
  return {
    ...readsNothing,
    parents: spec.parent === null ? [spec.layer] : [spec.parent, spec.layer],
    key: async (keys) => mergeKey(parentKey(keys, spec.parent), keyOf(keys, spec.layer)),
    run: async (inputs) => ({
      layers: [...(parentOf(inputs, spec.parent)?.layers ?? []), ...(parentOf(inputs, spec.layer)?.layers ?? [])],
    }),
  };
}
