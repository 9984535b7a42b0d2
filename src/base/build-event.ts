import type { WireError } from "./errors.ts";
import type { SourceLocation } from "./source-location.ts";

/** A vertex as progress shows it. */
export interface VertexInfo {
  readonly id: string;
  /** As BuildKit names it: `[build 2/5] RUN make`. */
  readonly name: string;
  readonly location: SourceLocation | null;
}

/** What happens during a build, as data; only `cli/` renders it. Times are milliseconds since the epoch. */
export type BuildEvent =
  /** The Dockerfile as it was read, for excerpts around an error. */
  | { readonly kind: "dockerfile"; readonly atMs: number; readonly file: string; readonly text: string }
  | { readonly kind: "plan"; readonly atMs: number; readonly vertices: readonly VertexInfo[] }
  | { readonly kind: "started"; readonly atMs: number; readonly vertex: string }
  | { readonly kind: "cached"; readonly atMs: number; readonly vertex: string }
  | { readonly kind: "completed"; readonly atMs: number; readonly vertex: string }
  | { readonly kind: "failed"; readonly atMs: number; readonly vertex: string; readonly error: WireError }
  | { readonly kind: "cancelled"; readonly atMs: number; readonly vertex: string }
  /** One line of a step's output, without its newline. */
  | {
      readonly kind: "log";
      readonly atMs: number;
      readonly vertex: string;
      readonly stream: "stdout" | "stderr";
      readonly line: string;
    }
  /** Progress of something with a known or unknown size: a download, an upload, a compression. */
  | {
      readonly kind: "transfer";
      readonly atMs: number;
      readonly vertex: string;
      readonly label: string;
      readonly doneBytes: number;
      readonly totalBytes: number | null;
    }
  | {
      readonly kind: "warning";
      readonly atMs: number;
      /** Name of the build check. */
      readonly rule: string;
      readonly message: string;
      readonly location: SourceLocation | null;
    }
  /** Where the image went; `manifest` is the digest it has there, if any. */
  | { readonly kind: "output"; readonly atMs: number; readonly summary: string; readonly manifest: string | null }
  /** The failure the build ends with. */
  | { readonly kind: "error"; readonly atMs: number; readonly error: WireError };

/** Takes events as they happen; must not throw and must not block. */
export interface ProgressSink {
  emit(event: BuildEvent): void;
}
