import { BuildError } from "../base/errors.ts";
import { quoteText } from "./quote-text.ts";

const nanoseconds: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  "\u00b5s": 1e3,
  "\u03bcs": 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

const maxLength = 200;

/** Nanoseconds of a Go duration such as `1m30s` or `1.5h`, possibly negative. Throws DOCKERFILE_BAD_ARGUMENT. */
export function parseDuration(text: string): number {
  const match = /^([-+]?)(?:0|((?:(?:\d+\.?\d*|\.\d+)(?:ns|us|\u00b5s|\u03bcs|ms|s|m|h))+))$/.exec(
    text.length > maxLength ? "" : text,
  );
  let total = 0;
  for (const [, amount, unit] of (match?.[2] ?? "").matchAll(/([\d.]+)(\D+)/g))
    total += Math.trunc(Number(amount) * (nanoseconds[unit ?? ""] ?? Number.NaN));
  if (match === null || !(total < 2 ** 63))
    throw new BuildError("DOCKERFILE_BAD_ARGUMENT", `invalid duration ${quoteText(text)}`, {
      hint: "write a number with a unit: 300ms, 30s, 5m, 1h",
    });
  return match[1] === "-" ? -total : total;
}
