import type { BuildEvent, ProgressSink } from "../base/build-event.ts";
import { isBuildError } from "../base/errors.ts";
import type { ErrorContext } from "./render-error.ts";

/** Lines of output kept for each step. */
const keptLines = 200;

/** Remembers of a build what explains its failure: the Dockerfile, and the last output of each step. */
export class FailureRecorder implements ProgressSink {
  readonly #names = new Map<string, string>();
  readonly #lines = new Map<string, string[]>();
  #dockerfile: { readonly file: string; readonly text: string } | null = null;
  #failed: string | null = null;

  emit(event: BuildEvent): void {
    switch (event.kind) {
      case "dockerfile":
        this.#dockerfile = event;
        break;
      case "plan":
        for (const { id, name } of event.vertices) this.#names.set(id, name);
        break;
      case "log": {
        const lines = this.#lines.get(event.vertex) ?? [];
        this.#lines.set(event.vertex, lines);
        lines.push(event.line);
        if (lines.length > keptLines) lines.shift();
        break;
      }
      case "completed":
        this.#lines.delete(event.vertex);
        break;
      case "failed":
        this.#failed ??= event.vertex;
        break;
    }
  }

  /** What a reader needs to know about `error`. */
  async contextOf(error: unknown, debug: boolean): Promise<ErrorContext> {
    const step =
      this.#failed === null || !isBuildError(error, "RUN_FAILED")
        ? null
        : { name: this.#names.get(this.#failed) ?? this.#failed, lastLines: this.#lines.get(this.#failed) ?? [] };
    if (!isBuildError(error) || this.#dockerfile === null || error.location?.file !== this.#dockerfile.file)
      return { excerpt: null, step, debug };
    const { excerptOfError } = await import("../dockerfile/error-excerpt.ts");
    return { excerpt: await excerptOfError(this.#dockerfile.text, error), step, debug };
  }
}
