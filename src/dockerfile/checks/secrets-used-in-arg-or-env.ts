import type { InstructionRule } from "./check-finding.ts";

const secretWord = /(?:_|^)(?:apikey|auth|credentials?|key|password|pword|passwd|secret|token)(?:_|$)/i;
/** `TOKEN_FILE`, `PUBLIC_KEY`, `KEY_VERSION` name no secret. */
const harmlessWord = /(?:_|^)(?:public|file|version)(?:_|$)/i;

/** ARG and ENV are kept in the image's history and configuration, where everyone can read them. */
export const secretsUsedInArgOrEnv: InstructionRule = {
  name: "SecretsUsedInArgOrEnv",
  find: (instruction) => {
    if (instruction.kind !== "arg" && instruction.kind !== "env") return [];
    const names = (instruction.kind === "arg" ? instruction.args : instruction.pairs).map(({ key }) => key);
    return names
      .filter((name) => secretWord.test(name) && !harmlessWord.test(name))
      .map((name) => {
        const keyword = instruction.kind.toUpperCase();
        return `Do not use ARG or ENV instructions for sensitive data (${keyword} ${JSON.stringify(name)})`;
      });
  },
};
