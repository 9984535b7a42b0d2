import { type BuildError, isBuildError } from "../../src/base/errors.ts";

/** The BuildError `work` throws; anything else, or nothing, fails the test. */
export function thrownBy(work: () => unknown): BuildError {
  try {
    work();
  } catch (error) {
    if (isBuildError(error)) return error;
    throw error;
  }
  throw new Error("expected a BuildError, but nothing was thrown");
}

/** The BuildError `work` rejects with; anything else, or nothing, fails the test. */
export async function rejectionOf(work: Promise<unknown>): Promise<BuildError> {
  try {
    await work;
  } catch (error) {
    if (isBuildError(error)) return error;
    throw error;
  }
  throw new Error("expected a BuildError, but nothing was thrown");
}
