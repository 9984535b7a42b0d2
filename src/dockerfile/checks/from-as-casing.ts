import type { FileRule } from "./check-finding.ts";

/** AS is written as FROM is; a FROM in mixed case is another rule's affair. */
export const fromAsCasing: FileRule = {
  name: "FromAsCasing",
  find: ({ stages }) =>
    stages.flatMap(({ from }) => {
      const { keyword, asKeyword } = from;
      if (asKeyword === null || asKeyword === inCaseOf(keyword, asKeyword)) return [];
      return [{ message: `'${asKeyword}' and '${keyword}' keywords' casing do not match`, at: from }];
    }),
};

function inCaseOf(model: string, word: string): string {
  if (model === model.toLowerCase()) return word.toLowerCase();
  return model === model.toUpperCase() ? word.toUpperCase() : word;
}
