import { compareNames } from "../base/file-name.ts";

/** A JSON value whose members stand in the order they are written in. */
export type GoJson = string | number | boolean | null | readonly GoJson[] | ReadonlyMap<string, GoJson>;

/** A Go struct: the members in order, without those that are undefined. */
export function goStruct(members: readonly (readonly [string, GoJson | undefined])[]): ReadonlyMap<string, GoJson> {
  return new Map(members.filter((member): member is readonly [string, GoJson] => member[1] !== undefined));
}

/** A Go map: its members sorted by the bytes of their keys. */
export function goMap(members: Iterable<readonly [string, GoJson]>): ReadonlyMap<string, GoJson> {
  return new Map([...members].sort(([a], [b]) => compareNames(a, b)));
}

/**
 * The text Go's encoding/json writes for `value` (`Marshal`, or `MarshalIndent` with `indent` and no prefix): `<`, `>`,
 * `&`, U+2028 and U+2029 are escaped, what is not Unicode becomes `\ufffd`. Digests of configs and manifests depend on it.
 */
export function formatGoJson(value: GoJson, indent = ""): string {
  return format(value, indent, "");
}

function format(value: GoJson, indent: string, margin: string): string {
  if (typeof value === "string") return formatString(value);
  if (value === null || typeof value !== "object") return String(value);
  const inner = margin + indent;
  if (value instanceof Map) {
    const members = [...(value as ReadonlyMap<string, GoJson>)];
    const colon = indent === "" ? ":" : ": ";
    return bracket(
      "{",
      members.map(([key, item]) => formatString(key) + colon + format(item, indent, inner)),
      "}",
    );
  }
  return bracket(
    "[",
    (value as readonly GoJson[]).map((item) => format(item, indent, inner)),
    "]",
  );

  function bracket(open: string, items: readonly string[], close: string): string {
    if (items.length === 0) return open + close;
    if (indent === "") return open + items.join(",") + close;
    return `${open}\n${inner}${items.join(`,\n${inner}`)}\n${margin}${close}`;
  }
}

const loneSurrogate = /[\ud800-\udfff]/u;
const escapedByGo = /[<>&\u2028\u2029]/g;

function formatString(text: string): string {
  const quoted = text
    .split(loneSurrogate)
    .map((part) => JSON.stringify(part).slice(1, -1))
    .join("\\ufffd");
  return `"${quoted.replace(escapedByGo, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`)}"`;
}
