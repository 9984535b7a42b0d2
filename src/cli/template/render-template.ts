import { didYouMean } from "../../dockerfile/suggest-name.ts";
import { printResult } from "./print-value.ts";
import { templateFailure } from "./template-failure.ts";
import { callFunction, type FunctionCall } from "./template-functions.ts";
import type { Command, Operand, Pipeline, TemplateNode } from "./template-node.ts";
import { isList, isMap, isStruct, isTrue, kindOf, sortedEntries, type TemplateValue } from "./template-value.ts";

/** How much work one rendering may be, in characters looked at or written; a step counts as some of them. */
const mostUnits = 16 * 1024 * 1024;
const stepUnits = 32;

/** Writes the text of a parsed template for `data`. Throws USAGE_INVALID with the place of a mistake. */
export function renderTemplate(nodes: readonly TemplateNode[], source: string, data: TemplateValue): string {
  const rendering = new Rendering(source, data);
  rendering.write(nodes, data);
  return rendering.text();
}

interface Variable {
  readonly name: string;
  value: TemplateValue;
}

class Rendering {
  readonly #source: string;
  readonly #parts: string[] = [];
  /** The innermost last. */
  readonly #variables: Variable[];
  #unitsLeft = mostUnits;

  constructor(source: string, data: TemplateValue) {
    this.#source = source;
    this.#variables = [{ name: "$", value: data }];
  }

  text = (): string => this.#parts.join("");

  write(nodes: readonly TemplateNode[], dot: TemplateValue): void {
    const known = this.#variables.length;
    for (const node of nodes) {
      if (node.kind === "text") this.#writeText(node.text, 0);
      else if (node.kind === "action") this.#writeAction(node.pipeline, dot);
      else if (node.kind === "range") this.#writeRange(node, dot);
      else this.#writeBranch(node, dot);
    }
    this.#variables.length = known;
  }

  #writeText(text: string, at: number): void {
    this.#spend(text.length + stepUnits, at);
    this.#parts.push(text);
  }

  #writeAction(pipeline: Pipeline, dot: TemplateValue): void {
    const value = this.#pipeline(pipeline, dot);
    if (pipeline.variables.length === 0) this.#writeText(printResult(value), pipeline.at);
  }

  #writeBranch(node: Extract<TemplateNode, { body: unknown }>, dot: TemplateValue): void {
    const known = this.#variables.length;
    const value = this.#pipeline(node.pipeline, dot);
    const isTaken = isTrue(value);
    this.write(isTaken ? node.body : node.otherwise, isTaken && node.kind === "with" ? value : dot);
    this.#variables.length = known;
  }

  #writeRange(node: Extract<TemplateNode, { body: unknown }>, dot: TemplateValue): void {
    const { pipeline } = node;
    const known = this.#variables.length;
    const value = this.#commands(pipeline, dot);
    const members = this.#membersOf(value, pipeline.at);
    if (members.length === 0) this.write(node.otherwise, dot);
    for (const [key, item] of members) {
      this.#spend(stepUnits, pipeline.at);
      this.#assign(pipeline, pipeline.variables.length === 2 ? [key, item] : [item]);
      this.write(node.body, item);
      this.#variables.length = known;
    }
  }

  #membersOf(value: TemplateValue, at: number): readonly (readonly [TemplateValue, TemplateValue])[] {
    if (value === null) return [];
    if (isList(value)) return value.map((item, place) => [place, item] as const);
    if (isMap(value)) return sortedEntries(value);
    throw this.#failure(at, `range over ${kindOf(value)}, want a list or a map`);
  }

  #pipeline(pipeline: Pipeline, dot: TemplateValue): TemplateValue {
    const value = this.#commands(pipeline, dot);
    this.#assign(pipeline, [value]);
    return value;
  }

  #assign({ variables, isDeclaration }: Pipeline, values: readonly TemplateValue[]): void {
    for (const [place, name] of variables.entries()) {
      const value = values[place] ?? null;
      const known = isDeclaration ? undefined : this.#variables.findLast((variable) => variable.name === name);
      if (known === undefined) this.#variables.push({ name, value });
      else known.value = value;
    }
  }

  #commands({ commands }: Pipeline, dot: TemplateValue): TemplateValue {
    let piped: readonly TemplateValue[] = [];
    for (const command of commands) piped = [this.#command(command, dot, piped)];
    return piped[0] ?? null;
  }

  #command({ at, operands }: Command, dot: TemplateValue, piped: readonly TemplateValue[]): TemplateValue {
    this.#spend(stepUnits, at);
    const [first, ...rest] = operands;
    if (first === undefined) return null;
    if (first.kind !== "function") {
      if (rest.length + piped.length > 0) throw this.#failure(first.at, "is no function and takes no arguments");
      return this.#operand(first, dot);
    }
    if (first.name === "and" || first.name === "or") return this.#decide(first.name, at, rest, dot, piped);
    const args = [...rest.map((operand) => this.#operand(operand, dot)), ...piped];
    return callFunction(first.name, args, this.#callOf(first.name, first.at));
  }

  /** The first argument that decides, or the last one. */
  #decide(
    name: "and" | "or",
    at: number,
    operands: readonly Operand[],
    dot: TemplateValue,
    piped: readonly TemplateValue[],
  ): TemplateValue {
    if (operands.length + piped.length === 0) throw this.#failure(at, `${name}: got 0 arguments, want 1 or more`);
    let value: TemplateValue = null;
    for (const operand of operands) {
      value = this.#operand(operand, dot);
      if (isTrue(value) === (name === "or")) return value;
    }
    return piped[0] ?? value;
  }

  #operand(operand: Operand, dot: TemplateValue): TemplateValue {
    this.#spend(stepUnits, operand.at);
    switch (operand.kind) {
      case "literal":
        return operand.value;
      case "dot":
        return this.#fields(dot, operand.path, operand.at);
      case "variable": {
        const variable = this.#variables.findLast(({ name }) => name === operand.name);
        return this.#fields(variable?.value ?? null, operand.path, operand.at);
      }
      case "group":
        return this.#fields(this.#pipeline(operand.pipeline, dot), operand.path, operand.at);
      case "function":
        return callFunction(operand.name, [], this.#callOf(operand.name, operand.at));
    }
  }

  #fields(value: TemplateValue, path: readonly string[], at: number): TemplateValue {
    let found = value;
    for (const name of path) {
      this.#spend(stepUnits, at);
      found = this.#field(found, name, at);
    }
    return found;
  }

  #field(value: TemplateValue, name: string, at: number): TemplateValue {
    if (isMap(value)) return value.get(name) ?? null;
    if (!isStruct(value)) throw this.#failure(at, `.${name}: ${kindOf(value)} has no fields`);
    for (const fields of [value.fields, value.absent]) {
      const found = fields.get(name);
      if (found !== undefined) return found;
    }
    const names = [...value.fields.keys(), ...value.absent.keys()];
    const hint = didYouMean(name, names) ?? `there are ${names.join(", ")}`;
    throw this.#failure(at, `there is no field .${name}`, hint);
  }

  #callOf(name: string, at: number): FunctionCall {
    return {
      fail: (problem) => {
        throw this.#failure(at, `${name}: ${problem}`);
      },
      spend: (units) => this.#spend(units, at),
    };
  }

  #spend(units: number, at: number): void {
    this.#unitsLeft -= units;
    if (this.#unitsLeft < 0) throw this.#failure(at, "it takes too much work or makes too much text");
  }

  #failure(at: number, problem: string, hint?: string): Error {
    return templateFailure(this.#source, at, problem, hint);
  }
}
