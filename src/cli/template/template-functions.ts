import { formatVerbs } from "./format-verbs.ts";
import { jsonOfValue, printResult, printValue } from "./print-value.ts";
import { isList, isMap, isStruct, isTrue, kindOf, type TemplateValue } from "./template-value.ts";

/** What a function may tell whoever calls it. */
export interface FunctionCall {
  /** Ends the rendering with a message. */
  fail(problem: string): never;
  /** Announces work of about so many characters, before it is done. */
  spend(units: number): void;
}

type TemplateFunction = (args: readonly TemplateValue[], call: FunctionCall) => TemplateValue;

/** What a member of a list costs, in characters. */
const memberUnits = 16;

/** `and` and `or` are not here: they do not look at more arguments than they need. */
const functions: ReadonlyMap<string, TemplateFunction> = new Map<string, TemplateFunction>([
  ["json", (args, call) => spent(jsonOfValue(only(args, call)), call)],
  ["lower", (args, call) => onlyText(args, call).toLowerCase()],
  ["upper", (args, call) => onlyText(args, call).toUpperCase()],
  [
    "title",
    (args, call) => onlyText(args, call).replace(/(^|\s)(\p{L})/gu, (_, gap, letter) => gap + letter.toUpperCase()),
  ],
  ["split", split],
  ["join", join],
  ["pad", pad],
  ["truncate", truncate],
  ["len", length],
  ["index", index],
  ["slice", slice],
  ["print", (args, call) => spent(sprint(args), call)],
  ["println", (args, call) => spent(`${args.map(printValue).join(" ")}\n`, call)],
  ["printf", printf],
  ["not", (args, call) => !isTrue(only(args, call))],
  ["eq", (args, call) => args.slice(1).some((other) => isEqual(at(args, 0, call), other, call))],
  ["ne", (args, call) => !isEqual(at(args, 0, call), at(args, 1, call), call)],
  ["lt", (args, call) => compare(args, call) < 0],
  ["le", (args, call) => compare(args, call) <= 0],
  ["gt", (args, call) => compare(args, call) > 0],
  ["ge", (args, call) => compare(args, call) >= 0],
]);

export const functionNames: readonly string[] = [...functions.keys(), "and", "or"];

/** Calls the function `name`, which is one of `functionNames` but not `and` or `or`. */
export function callFunction(name: string, args: readonly TemplateValue[], call: FunctionCall): TemplateValue {
  for (const arg of args) call.spend(weightOf(arg));
  const result = functions.get(name)?.(args, call) ?? null;
  call.spend(weightOf(result));
  return result;
}

const weightOf = (value: TemplateValue): number =>
  typeof value === "string" ? value.length : isList(value) ? value.length * memberUnits : 1;

function spent(text: string, call: FunctionCall): string {
  call.spend(text.length);
  return text;
}

function at(args: readonly TemplateValue[], index: number, call: FunctionCall): TemplateValue {
  const value = args[index];
  return value === undefined ? call.fail(`got ${args.length} arguments, want ${index + 1} or more`) : value;
}

function only(args: readonly TemplateValue[], call: FunctionCall): TemplateValue {
  return args.length === 1 ? at(args, 0, call) : call.fail(`got ${args.length} arguments, want 1`);
}

const onlyText = (args: readonly TemplateValue[], call: FunctionCall): string => asText(only(args, call), call);

const asText = (value: TemplateValue, call: FunctionCall): string =>
  typeof value === "string" ? value : call.fail(`got ${kindOf(value)}, want a string`);

const asCount = (value: TemplateValue, call: FunctionCall): number =>
  typeof value === "number" && Number.isInteger(value) ? value : call.fail(`got ${kindOf(value)}, want a whole number`);

function exactly(count: number, args: readonly TemplateValue[], call: FunctionCall): void {
  if (args.length !== count) call.fail(`got ${args.length} arguments, want ${count}`);
}

function split(args: readonly TemplateValue[], call: FunctionCall): TemplateValue {
  exactly(2, args, call);
  const [text, separator] = [asText(at(args, 0, call), call), asText(at(args, 1, call), call)];
  if (separator === "") call.spend(text.length * memberUnits);
  return separator === "" ? Array.from(text) : text.split(separator);
}

function join(args: readonly TemplateValue[], call: FunctionCall): TemplateValue {
  exactly(2, args, call);
  const list = at(args, 0, call);
  const separator = asText(at(args, 1, call), call);
  if (list === null) return "";
  if (!isList(list)) return call.fail(`got ${kindOf(list)}, want a list`);
  call.spend(list.length * separator.length);
  for (const item of list) call.spend(weightOf(item));
  return list.map(printValue).join(separator);
}

function pad(args: readonly TemplateValue[], call: FunctionCall): TemplateValue {
  exactly(3, args, call);
  const text = asText(at(args, 0, call), call);
  const [before, after] = [asCount(at(args, 1, call), call), asCount(at(args, 2, call), call)];
  if (before < 0 || after < 0) return call.fail("got a negative number of blanks");
  call.spend(before + after);
  return text === "" ? "" : " ".repeat(before) + text + " ".repeat(after);
}

function truncate(args: readonly TemplateValue[], call: FunctionCall): TemplateValue {
  exactly(2, args, call);
  const text = asText(at(args, 0, call), call);
  const most = asCount(at(args, 1, call), call);
  return most < 0 ? call.fail("got a negative length") : Array.from(text).slice(0, most).join("");
}

function length(args: readonly TemplateValue[], call: FunctionCall): TemplateValue {
  const value = only(args, call);
  if (typeof value === "string") return Buffer.byteLength(value);
  if (isList(value)) return value.length;
  return isMap(value) ? value.size : call.fail(`got ${kindOf(value)}, want a string, a list or a map`);
}

function index(args: readonly TemplateValue[], call: FunctionCall): TemplateValue {
  let value = at(args, 0, call);
  for (const key of args.slice(1)) value = member(value, key, call);
  return value;
}

function member(value: TemplateValue, key: TemplateValue, call: FunctionCall): TemplateValue {
  if (isMap(value)) {
    const name = asText(key, call);
    call.spend(value.size);
    // A Go map of strings has an empty string for what is not in it.
    return value.get(name) ?? ([...value.values()].every((item) => typeof item === "string") ? "" : null);
  }
  if (!isList(value) && typeof value !== "string") return call.fail(`${kindOf(value)} has no index`);
  const place = asCount(key, call);
  const members = isList(value) ? value : Buffer.from(value);
  return members[place] ?? call.fail(`index ${place} is out of range, there are ${members.length}`);
}

function slice(args: readonly TemplateValue[], call: FunctionCall): TemplateValue {
  const value = at(args, 0, call);
  if (!isList(value) && typeof value !== "string") return call.fail(`got ${kindOf(value)}, want a string or a list`);
  if (args.length > 3) call.fail(`got ${args.length} arguments, want 3 at most`);
  const members = isList(value) ? value : Buffer.from(value);
  const [from = 0, to = members.length] = args.slice(1).map((arg) => asCount(arg, call));
  if (from < 0 || to < from || to > members.length)
    call.fail(`${from} to ${to} is out of range, there are ${members.length}`);
  return isList(value) ? value.slice(from, to) : Buffer.from(value).toString("utf8", from, to);
}

/** As Go's Sprint: a blank between two arguments when neither is a string. */
function sprint(args: readonly TemplateValue[]): string {
  return args
    .map((arg, place) => {
      const last = args[place - 1];
      const isApart = place > 0 && typeof arg !== "string" && typeof last !== "string";
      return (isApart ? " " : "") + printValue(arg);
    })
    .join("");
}

function printf(args: readonly TemplateValue[], call: FunctionCall): TemplateValue {
  const format = asText(at(args, 0, call), call);
  // Every verb may be as wide as is allowed: what it costs is told before it is done.
  for (const [, width, precision] of format.matchAll(/%[-+# 0]*(\d*)(?:\.(\d*))?/g))
    call.spend(Number(width ?? 0) + Number(precision ?? 0));
  const text = formatVerbs(format, args.slice(1));
  return text === null ? call.fail("a width of printf is too large") : spent(text, call);
}

function isEqual(a: TemplateValue, b: TemplateValue, call: FunctionCall): boolean {
  for (const value of [a, b])
    if (isList(value) || isMap(value) || isStruct(value)) call.fail(`${kindOf(value)} cannot be compared`);
  if (a !== null && b !== null && typeof a !== typeof b)
    call.fail(`${kindOf(a)} (${printResult(a)}) cannot be compared with ${kindOf(b)} (${printResult(b)})`);
  return a === b;
}

function compare(args: readonly TemplateValue[], call: FunctionCall): number {
  exactly(2, args, call);
  const [a, b] = [at(args, 0, call), at(args, 1, call)];
  if (typeof a === "number" && typeof b === "number") return a - b;
  if (typeof a === "string" && typeof b === "string") return a < b ? -1 : a > b ? 1 : 0;
  return call.fail(`${kindOf(a)} cannot be compared with ${kindOf(b)}`);
}
