import { BuildError } from "../base/errors.ts";
import type { EscapeCharacter } from "./directives.ts";
import { parseJsonStrings } from "./json-strings.ts";
import { quoteText, wordDetail } from "./quote-text.ts";
import type { NodeArguments } from "./source-node.ts";
import { cutAtSeparator, isAsciiSpace, isSpace, splitAtSeparators } from "./white-space.ts";

type Form = (rest: string, escapeChar: EscapeCharacter) => NodeArguments;

/** How each instruction but ONBUILD takes its arguments apart. */
const forms: Readonly<Record<string, Form>> = {
  add: jsonOrList,
  arg: (rest, escapeChar) => words(parseWords(rest, escapeChar)),
  cmd: jsonOrText,
  copy: jsonOrList,
  entrypoint: jsonOrText,
  env: (rest, escapeChar) => pairs("ENV", rest, escapeChar),
  expose: list,
  from: list,
  healthcheck: healthcheck,
  label: (rest, escapeChar) => pairs("LABEL", rest, escapeChar),
  maintainer: wholeText,
  run: jsonOrText,
  shell: jsonOrText,
  stopsignal: wholeText,
  user: wholeText,
  volume: jsonOrList,
  workdir: wholeText,
};

/** The keywords of all instructions, in upper case. */
export const keywords: readonly string[] = [...Object.keys(forms), "onbuild"].map((name) => name.toUpperCase());

/**
 * The arguments of an instruction, `rest` being the line after its flags. Throws DOCKERFILE_SYNTAX. An unknown keyword
 * has no arguments; it is refused later, when all lines are known to be well-formed.
 */
export function parseArguments(keyword: string, rest: string, escapeChar: EscapeCharacter): NodeArguments {
  const name = keyword.toLowerCase();
  const form = Object.hasOwn(forms, name) ? forms[name] : undefined;
  return form === undefined ? words([""]) : form(rest, escapeChar);
}

const words = (list: readonly string[]): NodeArguments => ({ form: "words", words: list });

function wholeText(rest: string): NodeArguments {
  return words(rest === "" ? [] : [rest]);
}

function list(rest: string): NodeArguments {
  return words(rest === "" ? [] : splitAtSeparators(rest));
}

function jsonOrText(rest: string): NodeArguments {
  const strings = parseJsonStrings(rest);
  return strings === null ? wholeText(rest) : { form: "json", words: strings };
}

function jsonOrList(rest: string): NodeArguments {
  const strings = parseJsonStrings(rest);
  return strings === null ? list(rest) : { form: "json", words: strings };
}

/** The kind of the check, then a command as in CMD. */
function healthcheck(rest: string): NodeArguments {
  let end = 0;
  while (end < rest.length && !isAsciiSpace(rest.charCodeAt(end))) end += 1;
  if (end === 0) return words([]);
  let next = end;
  while (next < rest.length && isAsciiSpace(rest.charCodeAt(next))) next += 1;
  const command = jsonOrText(rest.slice(next));
  return command.form === "words" || command.form === "json"
    ? { form: command.form, words: [rest.slice(0, end), ...command.words] }
    : command;
}

function pairs(name: string, rest: string, escapeChar: EscapeCharacter): NodeArguments {
  const list = parseWords(rest, escapeChar);
  const first = list[0];
  if (first === undefined) return { form: "pairs", pairs: [], isLegacy: false };
  if (!first.includes("=")) {
    const cut = cutAtSeparator(rest);
    if (cut === null)
      throw new BuildError("DOCKERFILE_SYNTAX", `${name} must have two arguments`, {
        hint: `write ${name} ${first.slice(0, 40)}=value`,
        details: wordDetail(first),
      });
    return { form: "pairs", pairs: [{ key: cut[0], value: cut[1] }], isLegacy: true };
  }
  const parsed = list.map((word) => {
    const at = word.indexOf("=");
    if (at < 0)
      throw new BuildError(
        "DOCKERFILE_SYNTAX",
        `Syntax error - can't find = in ${quoteText(word)}. Must be of the form: name=value`,
        { hint: `quote a value that holds spaces: ${name} name="a value"`, details: wordDetail(word) },
      );
    return { key: word.slice(0, at), value: word.slice(at + 1) };
  });
  return { form: "pairs", pairs: parsed, isLegacy: false };
}

/** Words at white space outside of quotes. Quotes and escape characters stay: they are for the expansion. */
export function parseWords(rest: string, escapeChar: EscapeCharacter): string[] {
  const found: string[] = [];
  let at = 0;
  for (;;) {
    while (at < rest.length && isSpace(rest.charCodeAt(at))) at += 1;
    if (at === rest.length) return found;
    const start = at;
    let quote: string | null = null;
    for (; at < rest.length; at += 1) {
      const char = rest[at] as string;
      if (quote === null && isSpace(rest.charCodeAt(at))) break;
      if (char === quote) quote = null;
      else if (quote === null && (char === "'" || char === '"')) quote = char;
      else if (char === escapeChar && quote !== "'") at += 1;
    }
    // An escape character that ends the line escapes nothing and is dropped.
    const word = at > rest.length ? rest.slice(start, -1) : rest.slice(start, at);
    at = Math.min(at, rest.length);
    if (word !== "") found.push(word);
  }
}
