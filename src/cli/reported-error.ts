/** A failure the user has been told about already; `cause` is the failure. */
export class ReportedError extends Error {
  override readonly name = "ReportedError";

  constructor(cause: unknown) {
    super("reported", { cause });
  }
}
