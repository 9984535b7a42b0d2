import { BuildError, isBuildError } from "../base/errors.ts";

/** Node's code of a failed system call (`ENOSPC`), or null for any other thrown value. */
export function systemErrorCode(error: unknown): string | null {
  return error instanceof Error && "code" in error && typeof error.code === "string" && !isBuildError(error)
    ? error.code
    : null;
}

/** Whether `error` says that the file is not there. */
export const isMissing = (error: unknown): boolean => systemErrorCode(error) === "ENOENT";

/**
 * A failed file operation inside the store as a BuildError: STORE_NO_SPACE or STORE_UNWRITABLE with what to do about
 * it. BuildErrors and anything that is not a system error come back as they are.
 */
export function storageError(error: unknown, path: string): unknown {
  const code = systemErrorCode(error);
  switch (code) {
    case null:
      return error;
    case "ENOSPC":
    case "EDQUOT":
      return new BuildError("STORE_NO_SPACE", `store file ${JSON.stringify(path)}: no space left (${code})`, {
        hint: 'free some disk space, or remove what is no longer needed with "tsbuild prune"',
        cause: error,
        details: { path },
      });
    case "EMFILE":
    case "ENFILE":
      return new BuildError("STORE_UNWRITABLE", `store file ${JSON.stringify(path)}: too many open files (${code})`, {
        hint: 'raise the limit of open files ("ulimit -n")',
        cause: error,
        details: { path },
      });
    default:
      return new BuildError("STORE_UNWRITABLE", `store file ${JSON.stringify(path)}: ${(error as Error).message}`, {
        hint: "the store must be a directory this user can write to; TSBUILD_ROOT names another one",
        cause: error,
        details: { path },
      });
  }
}

/** Runs `work` on files of the store; what fails is thrown as `storageError` has it. */
export async function withStorageErrors<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw storageError(error, path);
  }
}
