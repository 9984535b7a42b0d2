import type { FileRule } from "./check-finding.ts";

export const maintainerDeprecated: FileRule = {
  name: "MaintainerDeprecated",
  find: ({ stages }) =>
    stages
      .flatMap(({ instructions }) => instructions)
      .filter(({ kind }) => kind === "maintainer")
      .map((at) => ({ message: "Maintainer instruction is deprecated in favor of using label", at })),
};
