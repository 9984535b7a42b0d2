import type { InstructionRule } from "./check-finding.ts";

/** A shell between the container and its program keeps signals from it; a SHELL of one's own says it is meant. */
export const jsonArgsRecommended: InstructionRule = {
  name: "JSONArgsRecommended",
  find: (instruction, { isShellSet }) => {
    if (instruction.kind !== "cmd" && instruction.kind !== "entrypoint") return [];
    if (instruction.command.form === "exec" || isShellSet) return [];
    return [
      `JSON arguments recommended for ${instruction.keyword} to prevent unintended behavior related to OS signals`,
    ];
  },
};
