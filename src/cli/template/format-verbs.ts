import { formatQuoted } from "../../plan/go-format.ts";
import { printValue } from "./print-value.ts";
import { isList, isMap, type TemplateValue } from "./template-value.ts";

/** The widest field and the most digits; more is a mistake. */
const largestWidth = 10_000;

const verbPattern = /%([-+# 0]*)(\d*)(?:\.(\d*))?([\s\S]?)/gu;

interface Verb {
  readonly flags: string;
  readonly width: number;
  readonly precision: number | null;
  readonly letter: string;
}

/**
 * Go's Sprintf for the verbs %v %s %q %d %x %X %o %b %c %U %e %f %g %t %T %%. What does not fit is told in the text, as Go
 * does: `%!d(string=a)`. Null when a width or precision is too large.
 */
export function formatVerbs(format: string, args: readonly TemplateValue[]): string | null {
  let next = 0;
  let isTooWide = false;
  const text = format.replace(verbPattern, (_, flags: string, width: string, precision, letter: string) => {
    if (letter === "%") return "%";
    if (letter === "") return "%!(NOVERB)";
    const verb = { flags, width: Number(width), precision: precision === undefined ? null : Number(precision), letter };
    if (verb.width > largestWidth || (verb.precision ?? 0) > largestWidth) isTooWide = true;
    const value = args[next];
    if (isTooWide || value === undefined) return `%!${letter}(MISSING)`;
    next += 1;
    return padded(formatted(value, verb), verb);
  });
  if (isTooWide) return null;
  const extra = args.slice(next).map((value) => `${typeName(value)}=${printValue(value)}`);
  return extra.length === 0 ? text : `${text}%!(EXTRA ${extra.join(", ")})`;
}

function padded(text: string, { flags, width, letter }: Verb): string {
  if (flags.includes("-")) return text.padEnd(width);
  const isNumber = /[dxXobeEfFgG]/.test(letter) && /^[+-]?[0-9a-fA-F.]+(?:e[+-]\d+)?$/.test(text);
  if (!flags.includes("0") || !isNumber) return text.padStart(width);
  const sign = /^[+-]/.exec(text)?.[0] ?? "";
  return sign + text.slice(sign.length).padStart(width - sign.length, "0");
}

function formatted(value: TemplateValue, verb: Verb): string {
  if (verb.letter === "v") return printValue(value);
  if (verb.letter === "T") return typeName(value);
  // Go applies a verb to each member of a list.
  if (isList(value)) return `[${value.map((item) => formatted(item, verb)).join(" ")}]`;
  const text =
    typeof value === "string"
      ? formatString(value, verb)
      : typeof value === "number"
        ? formatNumber(value, verb)
        : typeof value === "boolean" && verb.letter === "t"
          ? String(value)
          : null;
  return text ?? `%!${verb.letter}(${typeName(value)}=${printValue(value)})`;
}

function formatString(text: string, { letter, precision }: Verb): string | null {
  const cut = precision === null ? text : Array.from(text).slice(0, precision).join("");
  if (letter === "s") return cut;
  if (letter === "q") return formatQuoted(cut);
  if (letter === "x") return Buffer.from(cut).toString("hex");
  return letter === "X" ? Buffer.from(cut).toString("hex").toUpperCase() : null;
}

function formatNumber(value: number, { letter, precision, flags }: Verb): string | null {
  const sign = flags.includes("+") && value >= 0 ? "+" : "";
  const digits = Math.min(precision ?? 6, 100);
  if (letter === "f" || letter === "F") return sign + value.toFixed(digits);
  if (letter === "e") return sign + value.toExponential(digits).replace(/e([+-])(\d)$/, "e$10$2");
  if (letter === "g") return sign + String(value);
  if (!Number.isInteger(value)) return null;
  if (letter === "d") return sign + String(value);
  if (letter === "x") return sign + value.toString(16);
  if (letter === "X") return sign + value.toString(16).toUpperCase();
  if (letter === "o") return sign + value.toString(8);
  if (letter === "b") return sign + value.toString(2);
  const isCharacter = value >= 0 && value <= 0x10ffff;
  if (letter === "c" && isCharacter) return String.fromCodePoint(value);
  return letter === "U" && isCharacter ? `U+${value.toString(16).toUpperCase().padStart(4, "0")}` : null;
}

function typeName(value: TemplateValue): string {
  if (value === null) return "<nil>";
  if (typeof value === "number") return Number.isInteger(value) ? "int" : "float64";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "string") return "string";
  return isList(value) ? "[]interface {}" : isMap(value) ? "map[string]interface {}" : "struct";
}
