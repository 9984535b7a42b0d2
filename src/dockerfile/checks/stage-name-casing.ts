import type { FileRule } from "./check-finding.ts";

export const stageNameCasing: FileRule = {
  name: "StageNameCasing",
  find: ({ stages }) =>
    stages.flatMap(({ from }) =>
      from.stageNameAsWritten === from.stageName
        ? []
        : [{ message: `Stage name '${from.stageNameAsWritten}' should be lowercase`, at: from }],
    ),
};
