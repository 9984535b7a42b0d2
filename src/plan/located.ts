import { isBuildError, withFacts } from "../base/errors.ts";
import type { SourceLocation } from "../base/source-location.ts";

/** Runs `work`; an error it throws says where in the Dockerfile it belongs, unless it knows better. */
export function located<T>(location: SourceLocation, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw isBuildError(error) ? withFacts(error, { location }) : error;
  }
}

/** The same for work that takes its time. */
export async function locatedAsync<T>(location: SourceLocation, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw isBuildError(error) ? withFacts(error, { location }) : error;
  }
}
