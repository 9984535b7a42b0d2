import type { Digest } from "../base/digest.ts";
import type { SourceLocation } from "../base/source-location.ts";
import type { ContainerConfig, HistoryRow } from "../image/image-config.ts";
import type { Platform } from "../image/platform.ts";

/** Name of a vertex inside one graph: `v0`, `v1`, … in topological order; a number may be missing. */
export type VertexId = string;

/** Where COPY, ADD and bind mounts read from. */
export type TreeSource =
  /** The file system another vertex made. */
  | { readonly kind: "vertex"; readonly vertex: VertexId }
  /** A build context by name: "context" is the main one. */
  | { readonly kind: "context"; readonly name: string }
  /** An empty tree: `--from` a stage that is `FROM scratch` without steps. */
  | { readonly kind: "empty" };

/** `chown` as written, expanded: names are looked up in the parent's /etc/passwd and /etc/group. */
export interface CopyPathsAction {
  readonly kind: "paths";
  readonly source: TreeSource;
  /** Expanded, as written: `dir/`, `*.c`, `./a/./b` (with `parents`). */
  readonly paths: readonly string[];
  /** Absolute; a trailing "/" or "/." is kept: it makes the destination a directory. */
  readonly destination: string;
  readonly chown: string | null;
  readonly chmod: string | null;
  readonly parents: boolean;
  readonly excludes: readonly string[];
  /** ADD: archives among the files are unpacked ("auto"), or never. */
  readonly unpack: "never" | "auto";
}

/** A heredoc: a file whose content stands in the Dockerfile, expanded. */
export interface CopyInlineAction {
  readonly kind: "inline";
  readonly name: string;
  readonly content: string;
  readonly destination: string;
  readonly chown: string | null;
  readonly chmod: string | null;
}

export type RunMount =
  | {
      readonly kind: "bind";
      readonly source: TreeSource;
      /** Path inside the source; "/" for all of it. */
      readonly path: string;
      readonly target: string;
      readonly readOnly: boolean;
    }
  | {
      readonly kind: "cache";
      readonly id: string;
      readonly target: string;
      readonly sharing: "shared" | "private" | "locked";
      readonly readOnly: boolean;
      /** What a new cache begins with; null for an empty directory. */
      readonly seed: { readonly source: TreeSource; readonly path: string } | null;
      readonly mode: number | null;
      readonly uid: number | null;
      readonly gid: number | null;
    }
  | { readonly kind: "tmpfs"; readonly target: string; readonly sizeBytes: number | null }
  | {
      readonly kind: "secret";
      readonly id: string;
      /** null: only as an environment variable. */
      readonly target: string | null;
      readonly env: string | null;
      readonly required: boolean;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
    }
  | {
      readonly kind: "ssh";
      readonly id: string;
      readonly target: string;
      readonly required: boolean;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
    };

/** What a vertex does. `parent` is the file system it starts from; null is an empty one. */
export type OpSpec =
  /** The layers of an image. `manifest` pins what the reference meant when it was resolved. */
  | { readonly kind: "image"; readonly reference: string; readonly manifest: Digest; readonly platform: Platform }
  | {
      readonly kind: "run";
      readonly parent: VertexId | null;
      readonly args: readonly string[];
      /** `NAME=value` in order, ARGs included. */
      readonly env: readonly string[];
      /** Proxy variables: given to the process, not part of the key. */
      readonly proxyEnv: readonly string[];
      readonly cwd: string;
      /** As USER wrote it; "" is root. */
      readonly user: string;
      readonly mounts: readonly RunMount[];
      readonly network: "default" | "none" | "host";
      readonly security: "sandbox" | "insecure";
      readonly hostname: string;
      readonly extraHosts: readonly { readonly name: string; readonly address: string }[];
      readonly shmSizeBytes: number | null;
      readonly ulimits: readonly { readonly name: string; readonly soft: number; readonly hard: number }[];
      /** Files shown read-only below /dev/pipes: the script of a heredoc that begins with `#!`. */
      readonly pipes: readonly { readonly name: string; readonly content: string }[];
      readonly platform: Platform;
    }
  | {
      readonly kind: "copy";
      readonly parent: VertexId | null;
      readonly actions: readonly (CopyPathsAction | CopyInlineAction)[];
      /** ADD or COPY, for messages. */
      readonly instruction: "COPY" | "ADD";
    }
  | {
      readonly kind: "workdir";
      readonly parent: VertexId | null;
      readonly path: string;
      readonly user: string;
      /** Seconds; null is now. */
      readonly epoch: number | null;
    }
  /** `--link`: the layer another vertex made from nothing, on top of `parent`. */
  | { readonly kind: "merge"; readonly parent: VertexId | null; readonly layer: VertexId }
  /** ADD of a URL: one layer with the one file `fileName`, mode 0600. */
  | {
      readonly kind: "http";
      readonly url: string;
      readonly fileName: string;
      readonly checksum: Digest | null;
    }
  /** ADD of a git repository, or a git URL as a named context: one layer with the checkout. */
  | {
      readonly kind: "git";
      readonly url: string;
      readonly ref: string;
      readonly subdir: string;
      readonly keepGitDir: boolean;
      readonly submodules: boolean;
      readonly checksum: string | null;
    };

export interface GraphVertex {
  readonly id: VertexId;
  readonly spec: OpSpec;
  /** For progress: `[build 2/5] RUN make`. */
  readonly name: string;
  /** Name of the stage it belongs to; "" for sources shared by stages. */
  readonly stage: string;
  readonly location: SourceLocation | null;
  /** `--no-cache`: do not look it up; its result is stored all the same. */
  readonly ignoreCache: boolean;
}

/** A history row of the image to be, in order. */
export type HistoryDraft =
  /** A row of the base image, kept as it is. */
  | { readonly kind: "base"; readonly row: HistoryRow }
  /** The row of the layer `vertex` makes: `created` is when that layer was made. */
  | { readonly kind: "layer"; readonly vertex: VertexId; readonly createdBy: string; readonly comment: string }
  /** An instruction that makes no layer. */
  | { readonly kind: "empty"; readonly createdBy: string; readonly comment: string };

/** The image to be, but for what only the build finds out: diffIDs and times. */
export interface ImageDraft {
  readonly platform: Platform;
  readonly config: ContainerConfig;
  readonly author: string;
  readonly history: readonly HistoryDraft[];
  /** The vertex whose file system the image has; null for an empty one. */
  readonly rootfs: VertexId | null;
  /** How many of the rows with a layer are those of the stage `PlanInput.squashAfter`. */
  readonly layersOfStage?: number;
}

/** A found problem that does not stop the build. */
export interface BuildWarning {
  /** Rule name: `UndefinedVar`. */
  readonly rule: string;
  readonly message: string;
  readonly location: SourceLocation | null;
}

/** Everything a build does, as plain data. One image per platform; equal vertices of platforms are shared by key. */
export interface BuildGraph {
  /** In topological order: every vertex stands after its inputs. */
  readonly vertices: readonly GraphVertex[];
  readonly images: readonly ImageDraft[];
  readonly warnings: readonly BuildWarning[];
  /** SOURCE_DATE_EPOCH in seconds, or null. */
  readonly epoch: number | null;
}
