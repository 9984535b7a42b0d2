/** What can be completed on the command line, as the shells' scripts are made of it. */
export interface CommandNode {
  /** Words that lead to it: `["registry", "serve"]`; none for the program itself. */
  readonly path: readonly string[];
  readonly description: string;
  readonly options: readonly OptionNode[];
  /** What its arguments are. */
  readonly argument: WordKind;
  readonly children: readonly CommandNode[];
}

export interface OptionNode {
  /** `--tag`; null when there is none. */
  readonly long: string | null;
  /** `-t`; null when there is none. */
  readonly short: string | null;
  readonly description: string;
  /** What its value is; null when it takes none. */
  readonly value: WordKind | null;
  readonly choices: readonly string[];
}

/** What stands in a place: something of the store, a file, or what only the user knows. */
export type WordKind = "image" | "container" | "file" | "other";

/** Guesses what a place holds by what the help calls it: `<images...>`, `[repository[:tag]]`, `<dir>`. */
export function kindOfPlace(name: string): WordKind {
  if (/image|reference|repository/.test(name)) return "image";
  if (/^(?:before|after)$/.test(name)) return "image";
  if (/container/.test(name)) return "container";
  return /context|source|destination|file|path|dir|DIR/.test(name) ? "file" : "other";
}

/** All nodes, parents first. */
export function allNodes(root: CommandNode): readonly CommandNode[] {
  return [root, ...root.children.flatMap(allNodes)];
}

/** The names of an option. */
export const namesOf = ({ long, short }: OptionNode): readonly string[] =>
  [long, short].filter((name) => name !== null);
