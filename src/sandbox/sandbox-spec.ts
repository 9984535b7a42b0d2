/** A file system the sandbox mounts besides the root. Host paths are absolute. `target` is absolute inside the root. */
export type SandboxMount =
  /** A directory or file of the host. */
  | {
      readonly kind: "bind";
      readonly source: string;
      readonly subPath: string;
      readonly target: string;
      readonly readOnly: boolean;
    }
  /** A stack of directories, topmost first; writes go to a scratch directory and are discarded. */
  | {
      readonly kind: "overlay";
      readonly lowers: readonly string[];
      readonly subPath: string;
      readonly target: string;
      readonly readOnly: boolean;
    }
  | { readonly kind: "tmpfs"; readonly target: string; readonly sizeBytes: number | null }
  /** A read-only file on a tmpfs of its own; its bytes never touch the disk. */
  | {
      readonly kind: "file";
      readonly target: string;
      readonly contentBase64: string;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
    }
  /** A unix socket made for this run, with the mode and owner it is to have inside. */
  | { readonly kind: "socket"; readonly source: string; readonly target: string };

/** One process in a fresh sandbox, as plain JSON. */
export interface SandboxSpec {
  readonly args: readonly string[];
  /** `NAME=value`, in order; nothing of the host's environment is added but HOME from the image's passwd when missing. */
  readonly env: readonly string[];
  readonly cwd: string;
  /** As USER has it: "", "name", "1000", "name:group", …; looked up in the image's own files, inside the sandbox. */
  readonly user: string;
  /** Overlay root: read-only directories, topmost first; empty for scratch. */
  readonly lowers: readonly string[];
  /**
   * Existing empty directories on one file system: what the process changes lands in `upper`; `work` is scratch space
   * that holds nothing of use afterwards.
   */
  readonly upper: string;
  readonly work: string;
  /** The process cannot change the root file system, only what is mounted in it. */
  readonly isRootReadOnly?: boolean;
  /** Mounted in this order: what lies inside another mount comes after it. */
  readonly mounts: readonly SandboxMount[];
  readonly network: "host" | "none";
  readonly security: "sandbox" | "insecure";
  readonly hostname: string;
  readonly extraHosts: readonly { readonly name: string; readonly address: string }[];
  readonly shmSizeBytes: number;
  readonly ulimits: readonly { readonly name: string; readonly soft: number; readonly hard: number }[];
  /** Control groups that the process enters, as directories of the host. */
  readonly cgroups?: readonly string[];
}
