import type { InstructionRule } from "./check-finding.ts";

export const legacyKeyValueFormat: InstructionRule = {
  name: "LegacyKeyValueFormat",
  find: (instruction) => {
    if ((instruction.kind !== "env" && instruction.kind !== "label") || !instruction.legacy) return [];
    const { keyword } = instruction;
    return [`"${keyword} key=value" should be used instead of legacy "${keyword} key value" format`];
  },
};
