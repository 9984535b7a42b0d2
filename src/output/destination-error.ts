import { BuildError, isBuildError } from "../base/errors.ts";
import { systemErrorCode } from "../store/storage-error.ts";

/** A failed file operation at an output's destination as EXPORT_DESTINATION_INVALID; other errors as they are. */
export function destinationError(error: unknown, destination: string): unknown {
  const code = systemErrorCode(error);
  if (code === null || isBuildError(error)) return error;
  const hint =
    code === "ENOSPC" || code === "EDQUOT"
      ? "free some disk space, or write somewhere else"
      : code === "ENOENT"
        ? "make the directory first"
        : code === "EPIPE"
          ? "whoever reads the output ended before all of it was written"
          : undefined;
  return new BuildError(
    "EXPORT_DESTINATION_INVALID",
    `output ${JSON.stringify(destination)}: ${(error as Error).message}`,
    { hint, cause: error, details: { destination } },
  );
}

/** Runs `work` on files at `destination`; what fails is thrown as `destinationError` has it. */
export async function withDestinationErrors<T>(destination: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw destinationError(error, destination);
  }
}
