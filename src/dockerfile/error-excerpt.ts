import type { BuildError } from "../base/errors.ts";
import { excerptOf } from "./excerpt.ts";
import { rangeOfWord, rangesOf } from "./source-ranges.ts";

/**
 * The lines of the Dockerfile around an error, with carets below the word it is about when the error knows it
 * (`details.word`). "" when the error has no place in the text.
 */
export async function excerptOfError(text: string, error: BuildError): Promise<string> {
  const { location, details } = error;
  if (location === undefined) return "";
  const { word } = details;
  if (typeof word !== "string" || word === "") return excerptOf(text, location);
  const ranges = await rangesOf(text, location);
  const range = ranges === null ? null : rangeOfWord(text, ranges, word);
  return excerptOf(text, location, range ?? undefined);
}
