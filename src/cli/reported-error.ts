import { exitCodeOf } from "../base/errors.ts";

/** A failure the user has been told about already; `cause` is the failure. */
export class ReportedError extends Error {
  override readonly name = "ReportedError";
  /** What the process shall exit with. */
  readonly exitCode: number;

  constructor(cause: unknown, exitCode: number = exitCodeOf(cause)) {
    super("reported", { cause });
    this.exitCode = exitCode;
  }
}
