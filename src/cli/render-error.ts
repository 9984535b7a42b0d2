import { type BuildError, isBuildError, kindOf, toWire, type WireError } from "../base/errors.ts";
import { toPlainText } from "./progress/plain-text.ts";

/** What the reader of an error needs besides the error itself. */
export interface ErrorContext {
  /** The lines of the Dockerfile around the error, marked; null when the error has no place there. */
  readonly excerpt: string | null;
  /** Name of the failed step and its last lines of output; null when no step failed. */
  readonly step: { readonly name: string; readonly lastLines: readonly string[] } | null;
  /** Show stack traces and causes. */
  readonly debug: boolean;
}

const rule = "-".repeat(20);

/** An error as text for a terminal: the step's output, the place, the message, what to do. */
export function renderError(error: unknown, context: ErrorContext): string {
  const known = isBuildError(error) ? error : null;
  const parts: string[] = [];
  if (context.step !== null && context.step.lastLines.length > 0) {
    parts.push(
      `------\n > ${context.step.name}:\n${context.step.lastLines.map((line) => `${toPlainText(line)}\n`).join("")}------\n`,
    );
  }
  if (known?.location !== undefined) {
    const place = `${known.location.file}:${known.location.startLine}`;
    if (!known.message.startsWith(place)) parts.push(`${place}\n`);
    if (context.excerpt !== null) parts.push(`${rule}\n${context.excerpt}${rule}\n`);
  }
  parts.push(`ERROR: ${describe(known, error)}\n`);
  if (known?.hint !== undefined) parts.push(`hint: ${safe(known.hint)}\n`);
  const isBug = known === null || kindOf(known.code) === "internal";
  if (isBug) parts.push("This is a bug in tsbuild. Please report it with the lines below.\n");
  if (context.debug || isBug) parts.push(trace(toWire(error)));
  return parts.join("");
}

const safe = (text: string): string => text.split("\n").map(toPlainText).join("\n");

function describe(known: BuildError | null, error: unknown): string {
  if (known !== null) return safe(known.message);
  return safe(error instanceof Error ? `${error.name}: ${error.message}` : String(error));
}

function trace(error: WireError): string {
  const own = `${error.code} ${safe(error.stack ?? error.message)}\n${detailLines(error)}`;
  return error.cause === null ? own : `${own}caused by ${trace(error.cause)}`;
}

const detailLines = (error: WireError): string =>
  Object.entries(error.details)
    .map(([key, value]) => `    ${key}: ${safe(String(value))}\n`)
    .join("");
