import type { Readable, Writable } from "node:stream";
import type { Digest } from "../base/digest.ts";
import type { Platform } from "../image/platform.ts";
import type { OutputReceipt } from "../output/output.ts";
import type { OutputAnnotation } from "../output/output-annotation.ts";
import type { OutputSpec } from "../output/parse-output-flag.ts";
import type { BuildWarning } from "../plan/build-graph.ts";
import type { Entitlement } from "../plan/plan-input.ts";
import type { ResourceLimits } from "../sandbox/cgroups/resource-limits.ts";
import type { SecretSource } from "../steps/run/secrets.ts";
import type { SquashReport } from "./squash-layers.ts";

/** An ssh agent socket forwarded under an id. */
export interface SshSource {
  readonly id: string;
  readonly socket: string;
}

/** All layers, those this build makes, or those it makes after a stage. */
export type SquashChoice =
  | { readonly kind: "all" }
  | { readonly kind: "new" }
  | { readonly kind: "stage"; readonly name: string };

/** Everything the user said about one build. */
export interface BuildRequest {
  /** A directory, `-` for stdin, a git URL or an http(s) URL. */
  readonly context: string;
  readonly stdin: Readable;
  readonly stdout: Writable;
  /** `-f`: a path, `-` for stdin; null for the context's own Dockerfile. */
  readonly dockerfile: string | null;
  readonly tags: readonly string[];
  readonly buildArgs: ReadonlyMap<string, string>;
  readonly target: string | null;
  readonly platforms: readonly Platform[];
  /** True for every stage, or names of stages. */
  readonly noCache: boolean | readonly string[];
  /** Ask the registry for bases even if they are in the store. */
  readonly pull: boolean;
  readonly labels: ReadonlyMap<string, string>;
  /** For every output that makes manifests. */
  readonly annotations: readonly OutputAnnotation[];
  readonly network: "default" | "none" | "host";
  readonly extraHosts: readonly { readonly name: string; readonly address: string }[];
  readonly shmSizeBytes: number | null;
  readonly ulimits: readonly { readonly name: string; readonly soft: number; readonly hard: number }[];
  /** For all steps together. */
  readonly limits: ResourceLimits;
  readonly secrets: readonly SecretSource[];
  readonly ssh: readonly SshSource[];
  /** `--build-context`: name to what it stands for. */
  readonly namedContexts: ReadonlyMap<string, string>;
  readonly outputs: readonly OutputSpec[];
  readonly entitlements: readonly Entitlement[];
  /** Which layers of the image become one; null: none do. */
  readonly squash: SquashChoice | null;
  /** How many steps run at the same time. */
  readonly jobs: number;
}

/** An image in a registry. */
export interface RegistryReceipt {
  /** Full reference: `docker.io/ns/app:latest`. */
  readonly reference: string;
  /** What the registry has it by: digest of a manifest, or of the index with several platforms. */
  readonly digest: Digest;
}

/** What a build made. */
export interface BuildReceipt {
  readonly images: readonly {
    readonly platform: Platform;
    /** Digest of the image config. */
    readonly imageId: Digest;
  }[];
  readonly outputs: readonly OutputReceipt[];
  /** What squashing did, for each platform; empty when none was asked for. */
  readonly squashed: readonly SquashReport[];
  readonly warnings: readonly BuildWarning[];
}
