import type { FileRule } from "./check-finding.ts";

/** All keywords in upper or all in lower case, whichever most of them have; upper case when it is a tie. */
export const consistentInstructionCasing: FileRule = {
  name: "ConsistentInstructionCasing",
  find: ({ stages }) => {
    const instructions = stages.flatMap(({ from, instructions }) => [from, ...instructions]);
    const lower = instructions.filter(({ keyword }) => keyword === keyword.toLowerCase()).length;
    const upper = instructions.filter(({ keyword }) => keyword === keyword.toUpperCase()).length;
    const isLower = lower > upper;
    return instructions
      .filter(({ keyword }) => keyword !== (isLower ? keyword.toLowerCase() : keyword.toUpperCase()))
      .map((at) => ({
        message: `Command '${at.keyword}' should match the case of the command majority (${isLower ? "lowercase" : "uppercase"})`,
        at,
      }));
  },
};
