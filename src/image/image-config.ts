import type { DiffId } from "../base/digest.ts";
import type { Platform } from "./platform.ts";

/** `HEALTHCHECK` as the docker image spec stores it; durations in nanoseconds. */
export interface Healthcheck {
  readonly Test: readonly string[];
  readonly Interval?: number;
  readonly Timeout?: number;
  readonly StartPeriod?: number;
  readonly StartInterval?: number;
  readonly Retries?: number;
}

/** The `config` member of an image config, with the field names of the docker image spec; absent means empty. */
export interface ContainerConfig {
  readonly User?: string;
  readonly ExposedPorts?: readonly string[];
  /** `NAME=value`, in order. */
  readonly Env?: readonly string[];
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly Volumes?: readonly string[];
  readonly WorkingDir?: string;
  /** Sorted by key when written; a Map, so that no key can be `__proto__`. */
  readonly Labels?: ReadonlyMap<string, string>;
  readonly StopSignal?: string;
  readonly ArgsEscaped?: boolean;
  readonly Healthcheck?: Healthcheck;
  readonly OnBuild?: readonly string[];
  readonly Shell?: readonly string[];
}

/** One history row (OCI image-spec config.md). Absent text is "". */
export interface HistoryRow {
  /** RFC 3339, or null when the image does not say. */
  readonly created: string | null;
  readonly createdBy: string;
  readonly author: string;
  readonly comment: string;
  readonly emptyLayer: boolean;
}

/** An image config, parsed. `image/config-json.ts` reads it and writes the bytes BuildKit would write. */
export interface ImageConfig {
  readonly platform: Platform;
  readonly author: string;
  readonly created: string | null;
  readonly config: ContainerConfig;
  readonly history: readonly HistoryRow[];
  readonly diffIds: readonly DiffId[];
}
