import { isList, isMap, sortedEntries, type TemplateValue } from "./template-value.ts";

/** A value as Go's `%v` prints it: `[a b]`, `map[a:1 b:2]`, `{a b}`. */
export function printValue(value: TemplateValue): string {
  if (value === null) return "<nil>";
  if (typeof value !== "object") return String(value);
  if (isList(value)) return `[${value.map(printValue).join(" ")}]`;
  if (isMap(value))
    return `map[${sortedEntries(value)
      .map(([key, item]) => `${key}:${printValue(item)}`)
      .join(" ")}]`;
  return `{${[...value.fields.values(), ...value.absent.values()].map(printValue).join(" ")}}`;
}

/** What an action writes: as `printValue`, but what is not there is `<no value>`. */
export const printResult = (value: TemplateValue): string => (value === null ? "<no value>" : printValue(value));

/** A value as JSON in one line: maps sorted by key, structs in the order of their fields, no escapes for HTML. */
export function jsonOfValue(value: TemplateValue): string {
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  if (isList(value)) return `[${value.map(jsonOfValue).join(",")}]`;
  const entries = isMap(value) ? sortedEntries(value) : [...value.fields];
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${jsonOfValue(item)}`).join(",")}}`;
}

/** The same in lines, four blanks a level, as `docker inspect` prints it. */
export function prettyJsonOfValue(value: TemplateValue, indent = ""): string {
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const inner = `${indent}    `;
  const [open, close] = isList(value) ? ["[", "]"] : ["{", "}"];
  const items = isList(value)
    ? value.map((item) => prettyJsonOfValue(item, inner))
    : (isMap(value) ? sortedEntries(value) : [...value.fields]).map(
        ([key, item]) => `${JSON.stringify(key)}: ${prettyJsonOfValue(item, inner)}`,
      );
  if (items.length === 0) return `${open}${close}`;
  return `${open}\n${items.map((item) => `${inner}${item}`).join(",\n")}\n${indent}${close}`;
}
