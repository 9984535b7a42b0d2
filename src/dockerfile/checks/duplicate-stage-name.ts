import type { FileRule } from "./check-finding.ts";

export const duplicateStageName: FileRule = {
  name: "DuplicateStageName",
  find: ({ stages }) => {
    const seen = new Set<string>();
    return stages.flatMap(({ from }) => {
      const { stageName } = from;
      if (stageName === null) return [];
      const isNew = !seen.has(stageName);
      seen.add(stageName);
      return isNew ? [] : [{ message: `Duplicate stage name "${stageName}", stage names should be unique`, at: from }];
    });
  },
};
