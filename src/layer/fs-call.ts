import { fromNodeError } from "../sys/system-error.ts";

/** The result of `work`, which calls node:fs; what that throws becomes a BuildError (STORE_NO_SPACE and so on). */
export function fsCall<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw fromNodeError(error);
  }
}
