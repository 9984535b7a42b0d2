import type { FileRule } from "./check-finding.ts";

/** `scratch` and `context` mean something where a stage name may stand. */
export const reservedStageName: FileRule = {
  name: "ReservedStageName",
  find: ({ stages }) =>
    stages
      .filter(({ from }) => from.stageName === "scratch" || from.stageName === "context")
      .map(({ from }) => ({
        message: `Stage name should not use the same name as reserved stage "${from.stageName}"`,
        at: from,
      })),
};
