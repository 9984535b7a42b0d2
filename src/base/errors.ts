import { type ErrorCode, type ErrorKind, errorKinds, exitCodes } from "./error-codes.ts";
import type { SourceLocation } from "./source-location.ts";

/** JSON facts about a failure; never secrets. */
export type ErrorDetails = Readonly<Record<string, string | number | boolean | null>>;

export interface BuildErrorOptions {
  readonly hint?: string | undefined;
  readonly location?: SourceLocation | undefined;
  readonly details?: ErrorDetails | undefined;
  readonly cause?: unknown;
}

/** Every error that crosses a folder boundary. Kind and exit code follow from `code`. */
export class BuildError extends Error {
  override readonly name = "BuildError";
  readonly code: ErrorCode;
  readonly details: ErrorDetails;
  /** What to do next, one sentence. */
  readonly hint: string | undefined;
  readonly location: SourceLocation | undefined;

  constructor(code: ErrorCode, message: string, options: BuildErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? {};
    this.hint = options.hint;
    this.location = options.location;
  }
}

/** Duck-typed on name and code, so it also holds for errors revived from another thread. */
export function isBuildError(error: unknown, code?: ErrorCode): error is BuildError {
  if (!(error instanceof Error) || error.name !== "BuildError" || !("code" in error)) return false;
  return code === undefined ? typeof error.code === "string" && error.code in errorKinds : error.code === code;
}

export const kindOf = (code: ErrorCode): ErrorKind => errorKinds[code];

/** Exit code of the process for any thrown value; 70 for what is not a BuildError. */
export function exitCodeOf(error: unknown): number {
  return exitCodes[isBuildError(error) ? errorKinds[error.code] : "internal"];
}

/** The same failure with facts added that only the caller knows; facts already there are kept. */
export function withFacts(
  error: BuildError,
  facts: { readonly hint?: string; readonly location?: SourceLocation | undefined; readonly details?: ErrorDetails },
): BuildError {
  const enriched = new BuildError(error.code, error.message, {
    hint: error.hint ?? facts.hint,
    location: error.location ?? facts.location,
    details: { ...facts.details, ...error.details },
    cause: error.cause,
  });
  if (error.stack !== undefined) enriched.stack = error.stack;
  return enriched;
}

/** An error as plain data: structuredClone drops the class, the code and the own fields of an Error subclass. */
export interface WireError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string | null;
  readonly location: SourceLocation | null;
  readonly details: ErrorDetails;
  readonly stack: string | null;
  readonly cause: WireError | null;
}

/** Any thrown value as plain data; total: what is not a BuildError becomes INTERNAL. */
export function toWire(error: unknown, depth = 0): WireError {
  const known = isBuildError(error) ? error : null;
  const cause =
    error instanceof Error && error.cause !== undefined && depth < 8 ? toWire(error.cause, depth + 1) : null;
  return {
    code: known?.code ?? "INTERNAL",
    message: error instanceof Error ? error.message : String(error),
    hint: known?.hint ?? null,
    location: known?.location ?? null,
    details: known?.details ?? {},
    stack: error instanceof Error ? (error.stack ?? null) : null,
    cause,
  };
}

/** The error that `toWire` described. */
export function fromWire(wire: WireError): BuildError {
  const error = new BuildError(wire.code, wire.message, {
    hint: wire.hint ?? undefined,
    location: wire.location ?? undefined,
    details: wire.details,
    cause: wire.cause === null ? undefined : fromWire(wire.cause),
  });
  if (wire.stack !== null) error.stack = wire.stack;
  return error;
}
