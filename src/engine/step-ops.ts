import type { ProgressSink } from "../base/build-event.ts";
import { mergeStatCache, type StatCacheRows } from "../context/stat-cache.ts";
import type { BuildGraph, GraphVertex } from "../plan/build-graph.ts";
import { openKnownTrees } from "../steps/copy/hash-copy.ts";
import type { NewStatCacheRows } from "../steps/copy/source-trees.ts";
import { copyStep } from "../steps/copy-step.ts";
import { gitStep } from "../steps/git-step.ts";
import { httpStep } from "../steps/http-step.ts";
import { imageStep } from "../steps/image-step.ts";
import { mergeStep } from "../steps/merge-step.ts";
import { type RunOutput, type RunStepServices, runStep } from "../steps/run-step.ts";
import type { StepContext } from "../steps/step-context.ts";
import { createStepOp, type Step, type StepOp } from "../steps/step-op.ts";
import { workdirStep } from "../steps/workdir-step.ts";
import type { LeavingLayers } from "./leaving-layers.ts";
import { LogLines } from "./log-lines.ts";

/** Makes the ops of a build's vertices, and keeps what they find out about the files of contexts. */
export class StepOps {
  readonly #context: StepContext;
  readonly #services: RunStepServices;
  readonly #leaving: LeavingLayers | null;
  readonly #sink: ProgressSink;
  readonly #statCacheRows = new Map<string, StatCacheRows[]>();

  constructor(
    context: Omit<StepContext, "noteDigests" | "knownTrees">,
    services: RunStepServices,
    leaving: LeavingLayers | null,
    sink: ProgressSink,
  ) {
    this.#services = services;
    this.#leaving = leaving;
    this.#sink = sink;
    this.#context = {
      ...context,
      knownTrees: openKnownTrees(),
      noteDigests: (files) => this.#noteDigests(files),
    };
  }

  of(graph: BuildGraph): readonly StepOp[] {
    return graph.vertices.map((vertex) => createStepOp(vertex, this.#stepOf(vertex)));
  }

  /** Writes down the digests of context files that were computed, for the next build; the store is held for that. */
  async saveStatCaches(hold: () => Promise<void>): Promise<void> {
    this.#noteDigests(this.#context.knownTrees.newStatCacheRows());
    if (this.#statCacheRows.size === 0) return;
    await hold();
    for (const [file, rows] of this.#statCacheRows) mergeStatCache(file, rows);
    this.#statCacheRows.clear();
  }

  #noteDigests(files: readonly NewStatCacheRows[]): void {
    for (const { file, rows } of files) {
      const known = this.#statCacheRows.get(file);
      if (known === undefined) this.#statCacheRows.set(file, [rows]);
      else known.push(rows);
    }
  }

  #stepOf({ id, spec }: GraphVertex): Step {
    switch (spec.kind) {
      case "image":
        return imageStep(spec, this.#context);
      case "run":
        return runStep(spec, this.#context, this.#services, this.#outputOf(id));
      case "copy":
        return copyStep(spec, this.#context, this.#leaving?.vertices.has(id) ? this.#leaving.format : null);
      case "workdir":
        return workdirStep(spec, this.#context);
      case "merge":
        return mergeStep(spec);
      case "http":
        return httpStep(spec, this.#context);
      case "git":
        return gitStep(spec, this.#context);
    }
  }

  /** A step's output as log events, one for each line. */
  #outputOf(vertex: string): RunOutput {
    const lines = (stream: "stdout" | "stderr"): LogLines =>
      new LogLines((line) => this.#sink.emit({ kind: "log", atMs: this.#context.nowMs(), vertex, stream, line }));
    const streams = { stdout: lines("stdout"), stderr: lines("stderr") };
    return {
      write: (stream, chunk) => streams[stream].write(chunk),
      end: () => {
        streams.stdout.end();
        streams.stderr.end();
      },
    };
  }
}
