import { BuildError } from "../base/errors.ts";
import { didYouMean } from "../dockerfile/suggest-name.ts";
import { historyRows } from "./history-chain.ts";
import type { PreparedImage } from "./prepare-image.ts";
import type { StageDraft } from "./stage-draft.ts";
import type { StagePlan } from "./stage-plan.ts";

/**
 * How many layers this build makes up to the end of the stage `name`, on which the target stands. Throws STAGE_NOT_FOUND
 * when there is no such stage, or the target does not start from it.
 */
export function layersOfStage(
  name: string,
  { table, target }: Pick<PreparedImage, "table" | "target">,
  drafts: ReadonlyMap<StagePlan, StageDraft>,
): number {
  const stage = table.find(name);
  if (stage === null)
    throw new BuildError("STAGE_NOT_FOUND", `squash from ${JSON.stringify(name)}: there is no such stage`, {
      hint: didYouMean(name, table.names()),
    });
  for (let at: StagePlan | null = target; at !== null; at = at.base) {
    const draft = drafts.get(at);
    if (at === stage && draft !== undefined)
      return historyRows(draft.history).filter(({ kind }) => kind === "layer").length;
  }
  throw new BuildError(
    "STAGE_NOT_FOUND",
    `squash from ${JSON.stringify(name)}: stage ${target.label} is not built on it`,
    {
      hint: "name a stage the image starts from, directly or through other stages",
    },
  );
}
