import type { Digest } from "../base/digest.ts";
import type { SourceLocation } from "../base/source-location.ts";
import type { Dockerfile } from "../dockerfile/instruction.ts";
import type { ImageConfig } from "../image/image-config.ts";
import type { Platform } from "../image/platform.ts";

/** Privileges a RUN may ask for only when the user allowed them. */
export type Entitlement = "network.host" | "security.insecure";

/** What to plan, as plain data: a Dockerfile and everything the user said about the build. */
export interface PlanInput {
  readonly dockerfile: Dockerfile;
  readonly buildArgs: ReadonlyMap<string, string>;
  /** Name of the stage to build; null for the last one. */
  readonly target: string | null;
  /** One image for each; empty when the user named none: the build platform, and a base image may say otherwise. */
  readonly targetPlatforms: readonly Platform[];
  readonly buildPlatform: Platform;
  /** Progress names tell the platform. */
  readonly multiPlatform: boolean;
  /** Labels that override those of the Dockerfile. */
  readonly labels: ReadonlyMap<string, string>;
  /** True for every stage, or the names of stages. */
  readonly noCache: boolean | readonly string[];
  /** For every RUN that does not say otherwise. */
  readonly network: "default" | "none" | "host";
  /** Host name inside RUN; "" for the default. */
  readonly hostname: string;
  readonly extraHosts: readonly { readonly name: string; readonly address: string }[];
  readonly shmSizeBytes: number | null;
  readonly ulimits: readonly { readonly name: string; readonly soft: number; readonly hard: number }[];
  /** Named contexts as the user wrote them: `name` or `name::os/arch`. */
  readonly contextNames: readonly string[];
  readonly entitlements: readonly Entitlement[];
  /** The stage whose layers are not to be squashed; null for none. */
  readonly squashAfter: string | null;
}

/** An image whose manifest and config were read; its layers were not. */
export interface ResolvedImage {
  /** Canonical, without digest: `docker.io/library/busybox:latest`. */
  readonly reference: string;
  readonly manifest: Digest;
  readonly config: ImageConfig;
  /** False for an image without layers: it counts as an empty file system. */
  readonly hasLayers: boolean;
}

/** A git repository at a ref, as ADD and named contexts name it. */
export interface GitSource {
  readonly kind: "git";
  readonly url: string;
  readonly ref: string;
  readonly subdir: string;
  readonly keepGitDir: boolean;
  readonly submodules: boolean;
  readonly checksum: string | null;
}

/** A file behind a URL. */
export interface HttpSource {
  readonly kind: "http";
  readonly url: string;
  readonly fileName: string;
  readonly checksum: Digest | null;
}

/** What a named context turned out to be. */
export type NamedContext =
  | { readonly kind: "image"; readonly image: ResolvedImage }
  | { readonly kind: "scratch" }
  /** A directory or archive: read through the tree source of that context name. */
  | { readonly kind: "tree"; readonly context: string }
  | GitSource
  | HttpSource;

/** Where SOURCE_DATE_EPOCH takes its time from when it is not a number. */
export type EpochOrigin = { readonly kind: "context"; readonly context: string } | GitSource | HttpSource;

/** What planning asks of the outside world. Every method may be called several times at once. */
export interface PlanSources {
  /** Reads manifest and config of an image. Rejects with SOURCE_NOT_FOUND, REFERENCE_INVALID and the like. */
  resolveImage(
    reference: string,
    platform: Platform,
    location: SourceLocation | null,
    signal: AbortSignal,
  ): Promise<ResolvedImage>;
  /** Looks at a named context, by one of `PlanInput.contextNames`. Never called for contexts no instruction uses. */
  namedContext(name: string, platform: Platform, signal: AbortSignal): Promise<NamedContext>;
  /**
   * Seconds since 1970: a commit's time, Last-Modified or the newest file of an archive; null when there is none.
   * A context named "context" is the main one.
   */
  sourceEpoch(origin: EpochOrigin, signal: AbortSignal): Promise<number | null>;
  /** Whether the main context's ignore file leaves a path out; null when there is no such file or it has exceptions. */
  readonly isIgnored: ((path: string) => boolean) | null;
}
