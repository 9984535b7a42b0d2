import { BuildError } from "../base/errors.ts";
import { quoteText, shorten, wordDetail } from "./quote-text.ts";
import { didYouMean } from "./suggest-name.ts";

/** `switch`: `--link`, `--link=false`; `text`: `--from=x`; `list`: a text that may be given more than once. */
export type FlagKind = "switch" | "text" | "list";

/** The flags of one instruction, checked against those it knows. */
export interface FlagValues {
  /** null when not given. */
  switch(name: string): boolean | null;
  /** null when not given or empty. */
  text(name: string): string | null;
  list(name: string): readonly string[];
}

/** Throws DOCKERFILE_BAD_FLAG. */
export function readFlags(flags: readonly string[], known: Readonly<Record<string, FlagKind>>): FlagValues {
  const values = new Map<string, string[]>();
  for (const flag of flags) {
    const equals = flag.indexOf("=");
    const written = equals < 0 ? flag : flag.slice(0, equals);
    const name = written.slice(2);
    const kind = Object.hasOwn(known, name) ? known[name] : undefined;
    if (kind === undefined)
      throw bad(
        written,
        `unknown flag: ${shorten(written)}`,
        didYouMean(
          written,
          Object.keys(known).map((other) => `--${other}`),
        ),
      );
    const earlier = values.get(name);
    if (earlier !== undefined && kind !== "list") throw bad(flag, `duplicate flag specified: ${written}`);
    const value = readValue(written, kind, equals < 0 ? null : flag.slice(equals + 1));
    if (earlier === undefined) values.set(name, [value]);
    else earlier.push(value);
  }
  return {
    switch: (name) => {
      const value = values.get(name)?.[0];
      return value === undefined ? null : value === "true";
    },
    text: (name) => values.get(name)?.[0] || null,
    list: (name) => values.get(name) ?? [],
  };
}

function readValue(written: string, kind: FlagKind, value: string | null): string {
  if (kind !== "switch") {
    if (value === null) throw bad(written, `missing a value on flag: ${written}`, `write ${written}=value`);
    return value;
  }
  if (value === "") throw bad(written, `missing a value on flag: ${written}`);
  const lower = (value ?? "true").toLowerCase();
  if (lower !== "true" && lower !== "false")
    throw bad(written, `expecting boolean value for flag ${written}, not: ${quoteText(value ?? "")}`);
  return lower;
}

const bad = (word: string, message: string, hint?: string): BuildError =>
  new BuildError("DOCKERFILE_BAD_FLAG", message, { hint, details: wordDetail(word) });
