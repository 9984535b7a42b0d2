import type { Dockerfile } from "../instruction.ts";
import type { FileRule, Found } from "./check-finding.ts";

/** The comment before an ARG or a named FROM begins with the name it describes. Experimental. */
export const invalidDefinitionDescription: FileRule = {
  name: "InvalidDefinitionDescription",
  find: (dockerfile) =>
    definitionsIn(dockerfile).flatMap(({ keyword, names, at }) => {
      const word = at.comments.at(-1)?.split(" ")[0];
      if (word === undefined || names.length === 0 || names.includes(word)) return [];
      const name = names.length > 1 ? "<arg_key>" : names[0];
      return [{ message: `Comment for ${keyword} should follow the format: \`# ${name} <description>\``, at }];
    }),
};

interface Definition {
  readonly keyword: "FROM" | "ARG";
  readonly names: readonly string[];
  readonly at: Found["at"];
}

function definitionsIn({ globalArgs, stages }: Dockerfile): Definition[] {
  const inStages = stages.flatMap(({ from, instructions }) => [from, ...instructions]);
  return [...globalArgs, ...inStages].flatMap((at): Definition[] => {
    if (at.kind === "arg") return [{ keyword: "ARG", names: at.args.map(({ key }) => key), at }];
    if (at.kind === "from") return [{ keyword: "FROM", names: at.stageName === null ? [] : [at.stageName], at }];
    return [];
  });
}
