import { BuildError } from "../base/errors.ts";
import type { JsonFailure } from "./strict-json.ts";

/**
 * Reads the members of a JSON object by name and type. Only own members count, so a key like `__proto__` is a key like
 * any other. As in Go, a member that is null counts as absent. Throws what `failure` makes, naming the member.
 */
export class JsonReader {
  readonly #object: object;
  readonly #path: string;
  readonly #failure: JsonFailure;

  /** `path` names `object` inside its document: "" for the document itself, `layers[2]`. */
  constructor(object: object, path: string, failure: JsonFailure) {
    this.#object = object;
    this.#path = path;
    this.#failure = failure;
  }

  /** The error for member `key`. */
  failure(key: string, problem: string): BuildError {
    return this.#failure(`${this.#pathOf(key)}: ${problem}`);
  }

  has(key: string): boolean {
    return this.#get(key) !== undefined;
  }

  keys(): readonly string[] {
    return Object.keys(this.#object);
  }

  string(key: string): string {
    const value = this.optionalString(key);
    if (value === undefined) throw this.failure(key, "missing, want a string");
    return value;
  }

  optionalString(key: string): string | undefined {
    const value = this.#get(key);
    if (value === undefined || typeof value === "string") return value;
    throw this.failure(key, `got ${kindOf(value)}, want a string`);
  }

  optionalBoolean(key: string): boolean | undefined {
    const value = this.#get(key);
    if (value === undefined || typeof value === "boolean") return value;
    throw this.failure(key, `got ${kindOf(value)}, want true or false`);
  }

  /** A whole number from 0 to 2^53-1; a larger one is refused, not rounded. */
  count(key: string): number {
    const value = this.optionalCount(key);
    if (value === undefined) throw this.failure(key, "missing, want a whole number");
    return value;
  }

  optionalCount(key: string): number | undefined {
    const value = this.#get(key);
    if (value === undefined) return undefined;
    if (typeof value !== "number") throw this.failure(key, `got ${kindOf(value)}, want a whole number`);
    if (!Number.isSafeInteger(value) || value < 0) {
      throw this.failure(key, `got ${value}, want a whole number from 0 to ${Number.MAX_SAFE_INTEGER}`);
    }
    return value;
  }

  optionalObject(key: string): JsonReader | undefined {
    const value = this.#get(key);
    return value === undefined ? undefined : this.#reader(value, key);
  }

  object(key: string): JsonReader {
    const reader = this.optionalObject(key);
    if (reader === undefined) throw this.failure(key, "missing, want an object");
    return reader;
  }

  optionalStrings(key: string): readonly string[] | undefined {
    return this.#optionalArray(key)?.map((value, at) => {
      if (typeof value !== "string") throw this.failure(`${key}[${at}]`, `got ${kindOf(value)}, want a string`);
      return value;
    });
  }

  optionalObjects(key: string): readonly JsonReader[] | undefined {
    return this.#optionalArray(key)?.map((value, at) => this.#reader(value, `${key}[${at}]`));
  }

  /** An object whose members are strings. */
  optionalStringMap(key: string): ReadonlyMap<string, string> | undefined {
    const reader = this.optionalObject(key);
    return reader === undefined ? undefined : new Map(reader.keys().map((name) => [name, reader.string(name)]));
  }

  /** Passes on what `parse` makes of the string `key`; its error is told as one of this member. */
  parsed<T>(key: string, parse: (text: string) => T): T {
    const text = this.string(key);
    try {
      return parse(text);
    } catch (error) {
      if (error instanceof BuildError) throw this.failure(key, error.message);
      throw error;
    }
  }

  #optionalArray(key: string): readonly unknown[] | undefined {
    const value = this.#get(key);
    if (value === undefined || Array.isArray(value)) return value;
    throw this.failure(key, `got ${kindOf(value)}, want an array`);
  }

  #get(key: string): unknown {
    if (!Object.hasOwn(this.#object, key)) return undefined;
    return (this.#object as Readonly<Record<string, unknown>>)[key] ?? undefined;
  }

  #reader(value: unknown, key: string): JsonReader {
    if (value === null || typeof value !== "object" || Array.isArray(value)) {
      throw this.failure(key, `got ${kindOf(value)}, want an object`);
    }
    return new JsonReader(value, this.#pathOf(key), this.#failure);
  }

  #pathOf(key: string): string {
    const shown = /^[\w.[\]-]{1,100}$/.test(key) ? key : JSON.stringify(key.slice(0, 100));
    return this.#path === "" ? shown : `${this.#path}.${shown}`;
  }
}

const kindOf = (value: unknown): string =>
  value === null
    ? "null"
    : Array.isArray(value)
      ? "an array"
      : typeof value === "object"
        ? "an object"
        : `a ${typeof value}`;
