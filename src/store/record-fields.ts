import type { JsonValue } from "../base/canonical-json.ts";
import { BuildError } from "../base/errors.ts";

/** Reads the members of a JSON object of unknown origin. Every method throws STORE_RECORD_INVALID, naming the member, when it is not what is asked for. */
export class RecordFields {
  readonly #what: string;
  readonly #value: object;

  /** `what` names the object in messages. */
  constructor(what: string, value: unknown) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw invalid(what, "object", value);
    this.#what = what;
    this.#value = value;
  }

  text(name: string): string {
    const value = this.#member(name);
    if (typeof value !== "string") throw invalid(`${this.#what}: ${name}`, "string", value);
    return value;
  }

  /** A safe integer that is not negative: a size or a time. */
  count(name: string): number {
    const value = this.#member(name);
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0)
      throw invalid(`${this.#what}: ${name}`, "integer", value);
    return value;
  }

  list<T>(name: string, parse: (item: unknown) => T): readonly T[] {
    const value = this.#member(name);
    if (!Array.isArray(value)) throw invalid(`${this.#what}: ${name}`, "list", value);
    return value.map(parse);
  }

  object(name: string): RecordFields {
    return new RecordFields(`${this.#what}: ${name}`, this.#member(name));
  }

  /** null when the member is null or missing. */
  optional<T>(name: string, parse: (value: unknown) => T): T | null {
    const value = this.#member(name);
    return value === null || value === undefined ? null : parse(value);
  }

  json(name: string): JsonValue {
    return (this.#member(name) ?? null) as JsonValue;
  }

  #member(name: string): unknown {
    return Object.hasOwn(this.#value, name) ? (this.#value as Record<string, unknown>)[name] : undefined;
  }
}

function invalid(what: string, want: string, got: unknown): BuildError {
  const type = got === null ? "null" : Array.isArray(got) ? "list" : typeof got;
  return new BuildError("STORE_RECORD_INVALID", `${what}: got ${type}, want ${want}`);
}
