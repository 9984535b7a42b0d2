import type { BuildError } from "../base/errors.ts";

/** Makes the error for a problem: `problem` says what is wrong and where. */
export type JsonFailure = (problem: string) => BuildError;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const deepestNesting = 64;

/**
 * The JSON object in `bytes`. Refuses what parsers read differently (RFC 8259 section 4, "interoperability"): invalid
 * UTF-8, a byte order mark, text after the value, a key that occurs twice; also more than `limitBytes`, nesting deeper
 * than 64, and anything but an object at the top. Throws what `failure` makes.
 */
export function parseJsonObject(bytes: Uint8Array, limitBytes: number, failure: JsonFailure): object {
  const value = parseJson(bytes, limitBytes, failure);
  if (!isObject(value)) throw failure("want a JSON object");
  return value;
}

/** The JSON array of objects in `bytes`; as strict as `parseJsonObject`. */
export function parseJsonObjects(bytes: Uint8Array, limitBytes: number, failure: JsonFailure): readonly object[] {
  const value = parseJson(bytes, limitBytes, failure);
  if (!Array.isArray(value) || !value.every(isObject)) throw failure("want a JSON array of objects");
  return value;
}

const isObject = (value: unknown): value is object =>
  value !== null && typeof value === "object" && !Array.isArray(value);

function parseJson(bytes: Uint8Array, limitBytes: number, failure: JsonFailure): unknown {
  if (bytes.length > limitBytes) throw failure(`got ${bytes.length} bytes, want at most ${limitBytes}`);
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    throw failure("not valid UTF-8");
  }
  if (text.startsWith("\ufeff")) throw failure("begins with a byte order mark");
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw failure("not valid JSON");
  }
  checkKeys(text, failure);
  return value;
}

/** Walks over valid JSON text: JSON.parse takes the last of equal keys without a word. */
function checkKeys(text: string, failure: JsonFailure): void {
  /** One entry an open bracket: the keys seen, or null inside an array. */
  const open: (Set<string> | null)[] = [];
  let keyComes = false;
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at];
    if (char === "{" || char === "[") {
      open.push(char === "{" ? new Set() : null);
      keyComes = char === "{";
      if (open.length > deepestNesting) throw failure(`nested deeper than ${deepestNesting}`);
    } else if (char === "}" || char === "]") {
      open.pop();
      keyComes = false;
    } else if (char === ",") {
      keyComes = open.at(-1) !== null;
    } else if (char === '"') {
      const end = endOfString(text, at);
      const keys = open.at(-1);
      if (keyComes && keys !== null && keys !== undefined) {
        const key = JSON.parse(text.slice(at, end + 1)) as string;
        if (keys.has(key)) throw failure(`key ${JSON.stringify(key.slice(0, 100))} occurs twice`);
        keys.add(key);
        keyComes = false;
      }
      at = end;
    }
  }
}

function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
  return at;
}
