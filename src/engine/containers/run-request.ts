import type { ResourceLimits } from "../../sandbox/cgroups/resource-limits.ts";
import type { SandboxMount, SandboxSpec } from "../../sandbox/sandbox-spec.ts";

/** What a container is to be, apart from its image; null is what the image says. */
export interface RunRequest {
  /** What follows the image on the command line. */
  readonly args: readonly string[];
  /** null for a random one. */
  readonly name: string | null;
  /** Nothing of it is to stay. */
  readonly isTransient: boolean;
  /** Its standard streams are a terminal. */
  readonly hasTerminal: boolean;
  /** "" for none. */
  readonly entrypoint: string | null;
  /** `NAME=value` rows, or `NAME` for a variable of the image that is not wanted. The last one of a name counts. */
  readonly env: readonly string[];
  readonly cwd: string | null;
  readonly user: string | null;
  readonly hostname: string | null;
  /** Directories and files of the host, and file systems in memory. */
  readonly mounts: readonly Extract<SandboxMount, { readonly kind: "bind" | "tmpfs" }>[];
  /** More places for which the container gets a directory of its own, besides the image's. */
  readonly volumes: readonly string[];
  readonly isReadOnly: boolean;
  readonly network: SandboxSpec["network"];
  readonly extraHosts: SandboxSpec["extraHosts"];
  readonly shmSizeBytes: number | null;
  readonly ulimits: SandboxSpec["ulimits"];
  readonly limits: ResourceLimits;
}
