/** What a template can reach. An array is a Go slice, a Map a Go map with string keys, null what is not there. */
export type TemplateValue =
  | null
  | boolean
  | number
  | string
  | readonly TemplateValue[]
  | ReadonlyMap<string, TemplateValue>
  | TemplateStruct;

/** A Go struct: asking for a field it does not have is a mistake. */
export interface TemplateStruct {
  readonly fields: ReadonlyMap<string, TemplateValue>;
  /** Fields that have their empty value and that its JSON leaves out. */
  readonly absent: ReadonlyMap<string, TemplateValue>;
}

export const isList = (value: TemplateValue): value is readonly TemplateValue[] => Array.isArray(value);

export const isMap = (value: TemplateValue): value is ReadonlyMap<string, TemplateValue> => value instanceof Map;

export const isStruct = (value: TemplateValue): value is TemplateStruct =>
  typeof value === "object" && value !== null && "fields" in value;

/** A struct of the members of `fields`, in their order. */
export const structOf = (
  fields: Readonly<Record<string, TemplateValue>>,
  absent: Readonly<Record<string, TemplateValue>> = {},
): TemplateStruct => ({ fields: new Map(Object.entries(fields)), absent: new Map(Object.entries(absent)) });

/** What JSON.parse gave, with objects as maps. */
export function valueOfJson(json: unknown): TemplateValue {
  if (json === null || typeof json === "boolean" || typeof json === "number" || typeof json === "string") return json;
  if (Array.isArray(json)) return json.map(valueOfJson);
  return typeof json === "object"
    ? new Map(Object.entries(json).map(([key, value]) => [key, valueOfJson(value)] as const))
    : null;
}

/** What a value is, for messages. */
export function kindOf(value: TemplateValue): string {
  if (value === null) return "nothing";
  if (typeof value === "number") return "a number";
  if (typeof value === "boolean") return "a boolean";
  if (typeof value === "string") return "a string";
  return isList(value) ? "a list" : isMap(value) ? "a map" : "a struct";
}

/** Whether `if` takes it for true: everything but false, 0, "", what is empty and what is not there. */
export function isTrue(value: TemplateValue): boolean {
  if (value === null) return false;
  if (isList(value)) return value.length > 0;
  if (isMap(value)) return value.size > 0;
  return typeof value === "object" || Boolean(value);
}

/** A map's entries in the order in which Go walks and prints them: by the bytes of their keys. */
export function sortedEntries(map: ReadonlyMap<string, TemplateValue>): readonly (readonly [string, TemplateValue])[] {
  return [...map].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}
