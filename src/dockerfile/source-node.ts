import type { SourceLocation } from "../base/source-location.ts";
import type { EscapeCharacter } from "./directives.ts";
import type { Heredoc } from "./instruction.ts";

/** The arguments of an instruction, in the form its keyword asks for. */
export type NodeArguments =
  /** Words or one text; a JSON array has the same content but another meaning. */
  | { readonly form: "words" | "json"; readonly words: readonly string[] }
  /** ENV and LABEL. `isLegacy`: `ENV name value`, without an equals sign. */
  | {
      readonly form: "pairs";
      readonly pairs: readonly { readonly key: string; readonly value: string }[];
      readonly isLegacy: boolean;
    }
  /** ONBUILD; null when nothing follows it. */
  | { readonly form: "trigger"; readonly trigger: SourceNode | null };

/** One logical line, taken apart but not checked: the keyword may be unknown, the flags too. */
export interface SourceNode {
  readonly keyword: string;
  readonly flags: readonly string[];
  readonly args: NodeArguments;
  readonly heredocs: readonly Heredoc[];
  /** The logical line, continuations joined, heredoc bodies left out. */
  readonly original: string;
  readonly location: SourceLocation;
  readonly comments: readonly string[];
}

/** A Dockerfile as logical lines. */
export interface Source {
  readonly escape: EscapeCharacter;
  readonly syntax: string | null;
  readonly check: string | null;
  readonly nodes: readonly SourceNode[];
  readonly emptyContinuations: readonly SourceLocation[];
}
