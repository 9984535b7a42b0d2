import type { Digest } from "../base/digest.ts";

/** `registry/repository:tag@digest`, parsed and normalised (docker.io and library/ filled in). */
export interface Reference {
  /** Host with an optional port: `docker.io`, `127.0.0.1:5000`. */
  readonly registry: string;
  /** `library/busybox`. */
  readonly repository: string;
  readonly tag: string | null;
  readonly digest: Digest | null;
}
