import { BuildError } from "./errors.ts";

export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue | undefined };

/**
 * JSON text that is the same for equal values: keys sorted by code unit, no white space, `undefined` members left out.
 * Throws INTERNAL for a number that is not a safe integer: a key must never depend on how a fraction is printed.
 */
export function canonicalJson(value: JsonValue): string {
  if (typeof value === "number") {
    if (!Number.isSafeInteger(value)) throw new BuildError("INTERNAL", `number ${value} has no canonical form`);
    return String(value);
  }
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item as JsonValue)).join(",")}]`;
  const members = Object.entries(value as { readonly [key: string]: JsonValue | undefined })
    .filter((member): member is [string, JsonValue] => member[1] !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return `{${members.map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item)}`).join(",")}}`;
}
