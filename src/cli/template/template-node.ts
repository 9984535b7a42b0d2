import type { TemplateValue } from "./template-value.ts";

/** A part of a template. `at` counts characters from its start. */
export type TemplateNode =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "action"; readonly pipeline: Pipeline }
  | {
      readonly kind: "if" | "with" | "range";
      readonly pipeline: Pipeline;
      readonly body: readonly TemplateNode[];
      readonly otherwise: readonly TemplateNode[];
    };

/** Commands, each given the result of the one before as its last argument. */
export interface Pipeline {
  readonly at: number;
  /** Names of variables that get the result; of `range` up to two. */
  readonly variables: readonly string[];
  /** `:=` makes variables, `=` changes those that are there. */
  readonly isDeclaration: boolean;
  readonly commands: readonly Command[];
}

/** A value, or a function and its arguments. */
export interface Command {
  readonly at: number;
  readonly operands: readonly Operand[];
}

export type Operand =
  | { readonly kind: "literal"; readonly at: number; readonly value: TemplateValue }
  | { readonly kind: "function"; readonly at: number; readonly name: string }
  /** The fields `path` of the dot, of a variable, or of what stands in parentheses. */
  | { readonly kind: "dot"; readonly at: number; readonly path: readonly string[] }
  | { readonly kind: "variable"; readonly at: number; readonly name: string; readonly path: readonly string[] }
  | { readonly kind: "group"; readonly at: number; readonly pipeline: Pipeline; readonly path: readonly string[] };
