import type { WireError } from "../../base/errors.ts";
import type { SandboxSpec } from "../sandbox-spec.ts";

/** What the first process of a sandbox is told; the connection is then closed for writing. */
export interface InitRequest {
  readonly spec: SandboxSpec;
  /** The seccomp filter as the kernel takes it, in base64. */
  readonly filter: string;
}

/** A file or directory made only so that something can be mounted on it. `path` is real: no symlinks, no leading "/". */
export interface MountStub {
  readonly path: string;
  readonly type: "file" | "directory";
}

/** What it answers, one JSON value a line; the program has been executed when the connection ends without `failed`. */
export type InitMessage =
  | { readonly kind: "prepared"; readonly stubs: readonly MountStub[] }
  | { readonly kind: "failed"; readonly error: WireError };

/** The descriptor of the connection in the first process. */
export const connectionDescriptor = 3;
