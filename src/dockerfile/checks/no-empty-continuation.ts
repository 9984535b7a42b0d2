import type { FileRule } from "./check-finding.ts";

export const noEmptyContinuation: FileRule = {
  name: "NoEmptyContinuation",
  find: ({ emptyContinuations }) =>
    emptyContinuations.map((location) => ({ message: "Empty continuation line", at: { location, comments: [] } })),
};
