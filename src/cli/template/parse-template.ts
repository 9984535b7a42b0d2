import { didYouMean } from "../../dockerfile/suggest-name.ts";
import { lexTemplate, type Token } from "./lex-template.ts";
import { templateFailure } from "./template-failure.ts";
import { functionNames } from "./template-functions.ts";
import type { Command, Operand, Pipeline, TemplateNode } from "./template-node.ts";

const longestTemplate = 64 * 1024;
/** How deep blocks and parentheses may lie in each other. */
const deepest = 100;

const constants: ReadonlyMap<string, boolean | null> = new Map([
  ["true", true],
  ["false", false],
  ["nil", null],
]);

/**
 * Parses the part of Go's text/template that docker's formats are made of: fields, variables, pipelines, functions, if,
 * else, with, range, comments and trim markers. Throws USAGE_INVALID with the place of a mistake.
 */
export function parseTemplate(source: string): readonly TemplateNode[] {
  if (source.length > longestTemplate)
    throw templateFailure(source, 0, `longer than ${longestTemplate} characters: ${source.length}`);
  return new TemplateParser(source).parse();
}

type Ending = "end" | "else" | "input";

class TemplateParser {
  readonly #source: string;
  readonly #tokens: readonly Token[];
  readonly #variables: string[] = ["$"];
  #next = 0;
  #depth = 0;

  constructor(source: string) {
    this.#source = source;
    this.#tokens = lexTemplate(source);
  }

  parse(): readonly TemplateNode[] {
    const { nodes, ending, at } = this.#nodes();
    if (ending !== "input") throw this.#failure(at, `unexpected {{${ending}}}`);
    return nodes;
  }

  /** Nodes up to `{{end}}`, `{{else …` or the end of the input. The word is read, what follows it is not. */
  #nodes(): { readonly nodes: readonly TemplateNode[]; readonly ending: Ending; readonly at: number } {
    const nodes: TemplateNode[] = [];
    for (let token = this.#take(); token !== null; token = this.#take()) {
      if (token.kind === "text") {
        nodes.push({ kind: "text", text: token.text });
        continue;
      }
      this.#skipBlank();
      const word = this.#peek();
      if (word?.kind === "word" && (word.text === "end" || word.text === "else")) {
        this.#next += 1;
        this.#skipBlank();
        return { nodes, ending: word.text, at: token.at };
      }
      nodes.push(this.#action(token.at));
    }
    return { nodes, ending: "input", at: this.#source.length };
  }

  #action(at: number): TemplateNode {
    const word = this.#peek();
    if (word?.kind === "word" && (word.text === "if" || word.text === "with" || word.text === "range")) {
      this.#next += 1;
      return this.#block(word.text, at);
    }
    const pipeline = this.#pipeline("close", 1);
    return { kind: "action", pipeline };
  }

  #block(kind: "if" | "with" | "range", at: number): TemplateNode {
    return this.#nested(at, () => {
      const known = this.#variables.length;
      const pipeline = this.#pipeline("close", kind === "range" ? 2 : 1);
      const declared = this.#variables.length;
      const { nodes: body, ending } = this.#nodes();
      this.#variables.length = declared;
      if (ending === "input") throw this.#failure(at, `{{${kind}}} has no {{end}}`);
      const otherwise = ending === "else" ? this.#otherwise(kind, at) : this.#closeEnd([]);
      this.#variables.length = known;
      return { kind, pipeline, body, otherwise };
    });
  }

  /** What follows `else`: another `if` or `with` of the same block, or its last part. */
  #otherwise(kind: "if" | "with" | "range", at: number): readonly TemplateNode[] {
    const word = this.#peek();
    if (word?.kind === "word" && word.text === kind && kind !== "range") {
      this.#next += 1;
      return [this.#block(kind, at)];
    }
    this.#expectClose();
    const { nodes, ending } = this.#nodes();
    if (ending !== "end") throw this.#failure(at, `{{${kind}}} has no {{end}} behind its {{else}}`);
    return this.#closeEnd(nodes);
  }

  #closeEnd(nodes: readonly TemplateNode[]): readonly TemplateNode[] {
    this.#expectClose();
    return nodes;
  }

  #expectClose(): void {
    this.#skipBlank();
    const token = this.#take();
    if (token?.kind !== "close") throw this.#unexpected(token, "}}");
  }

  /** A pipeline and the token that ends it: `}}` or `)`. */
  #pipeline(end: "close" | ")", mostVariables: number): Pipeline {
    this.#skipBlank();
    const at = this.#peek()?.at ?? this.#source.length;
    const { variables, isDeclaration } = this.#assignment(mostVariables);
    const commands: Command[] = [];
    for (;;) {
      commands.push(this.#command());
      const token = this.#take();
      if (token?.kind === "sign" && token.text === "|") continue;
      const isEnd = end === "close" ? token?.kind === "close" : token?.kind === "sign" && token.text === ")";
      if (!isEnd) throw this.#unexpected(token, end === "close" ? "}}" : ")");
      if (isDeclaration) this.#variables.push(...variables);
      return { at, variables, isDeclaration, commands };
    }
  }

  /** `$x :=`, `$x =`, `$i, $x :=`; reads nothing when there is none. */
  #assignment(most: number): { readonly variables: readonly string[]; readonly isDeclaration: boolean } {
    const start = this.#next;
    const variables: string[] = [];
    for (;;) {
      this.#skipBlank();
      const token = this.#take();
      if (token?.kind !== "variable") break;
      variables.push(token.text);
      this.#skipBlank();
      const sign = this.#take();
      if (sign?.kind !== "sign") break;
      if (sign.text === "," && variables.length < most) continue;
      if (sign.text !== ":=" && sign.text !== "=") break;
      const unknown = variables.find((name) => sign.text === "=" && !this.#variables.includes(name));
      if (unknown !== undefined) throw this.#failure(token.at, `unknown variable ${unknown}`);
      return { variables, isDeclaration: sign.text === ":=" };
    }
    this.#next = start;
    return { variables: [], isDeclaration: false };
  }

  #command(): Command {
    this.#skipBlank();
    const operands: Operand[] = [];
    const at = this.#peek()?.at ?? this.#source.length;
    for (;;) {
      const token = this.#peek();
      if (token === null || token.kind === "close" || isSign(token, "|") || isSign(token, ")")) break;
      operands.push(this.#operand());
      const next = this.#peek();
      if (next === null || next.kind === "close" || next.kind === "blank" || isSign(next, "|") || isSign(next, ")")) {
        this.#skipBlank();
        continue;
      }
      throw this.#unexpected(next, "a blank");
    }
    if (operands.length === 0) throw this.#unexpected(this.#peek(), "a value");
    return { at, operands };
  }

  #operand(): Operand {
    const token = this.#take();
    const at = token?.at ?? this.#source.length;
    if (token?.kind === "string") return { kind: "literal", at, value: token.text };
    if (token?.kind === "number") return { kind: "literal", at, value: Number(token.text) };
    if (token?.kind === "field") return { kind: "dot", at, path: [token.text.slice(1), ...this.#path()] };
    if (token !== null && isSign(token, ".")) return { kind: "dot", at, path: [] };
    if (token?.kind === "variable") {
      if (!this.#variables.includes(token.text)) throw this.#failure(at, `unknown variable ${token.text}`);
      return { kind: "variable", at, name: token.text, path: this.#path() };
    }
    if (token !== null && isSign(token, "("))
      return this.#nested(at, () => ({ kind: "group", at, pipeline: this.#pipeline(")", 1), path: this.#path() }));
    if (token?.kind === "word") return this.#word(token.text, at);
    throw this.#unexpected(token, "a value");
  }

  #word(name: string, at: number): Operand {
    const constant = constants.get(name);
    if (constant !== undefined) return { kind: "literal", at, value: constant };
    if (functionNames.includes(name)) return { kind: "function", at, name };
    throw this.#failure(at, `unknown function ${JSON.stringify(name.slice(0, 100))}`, didYouMean(name, functionNames));
  }

  #path(): readonly string[] {
    const path: string[] = [];
    for (let token = this.#peek(); token?.kind === "field"; token = this.#peek()) {
      path.push(token.text.slice(1));
      this.#next += 1;
    }
    return path;
  }

  #nested<T>(at: number, parse: () => T): T {
    this.#depth += 1;
    if (this.#depth > deepest) throw this.#failure(at, `more than ${deepest} blocks or parentheses in each other`);
    const result = parse();
    this.#depth -= 1;
    return result;
  }

  #peek = (): Token | null => this.#tokens[this.#next] ?? null;

  #take(): Token | null {
    const token = this.#peek();
    this.#next += 1;
    return token;
  }

  #skipBlank(): void {
    if (this.#peek()?.kind === "blank") this.#next += 1;
  }

  #unexpected(token: Token | null, wanted: string): Error {
    const got = token === null ? "the end" : JSON.stringify(token.text.slice(0, 100));
    return this.#failure(token?.at ?? this.#source.length, `got ${got}, want ${wanted}`);
  }

  #failure(at: number, problem: string, hint?: string): Error {
    return templateFailure(this.#source, at, problem, hint);
  }
}

const isSign = (token: Token, text: string): boolean => token.kind === "sign" && token.text === text;
