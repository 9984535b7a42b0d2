import type { DiffId, Digest } from "../base/digest.ts";
import type { TaskRunner } from "../base/task.ts";
import type { LayersSpec, TreeSpec } from "../context/tree-spec.ts";
import type { TreeSource } from "../plan/build-graph.ts";
import type { LayerStore } from "../store/layer-store.ts";
import type { Snapshot } from "./snapshot.ts";

/** A layer of an image that may not be here yet. */
export type ImageLayers = readonly DiffId[];

/** What ops need of the world around them. */
export interface StepContext {
  readonly tasks: TaskRunner;
  readonly layers: LayerStore;
  /** diffIDs of an image that planning resolved, by its manifest; its layers are known to `layers`. */
  readonly imageLayers: ReadonlyMap<Digest, ImageLayers>;
  /** The tree of a build context by name; "context" is the main one. */
  openContext(name: string, signal: AbortSignal): Promise<TreeSpec>;
  /** Takes new rows for the stat cache of a context, as `copy.hash` returns them. */
  noteDigests(tree: TreeSpec, rows: unknown): void;
  /** One line of a step's output. */
  log(vertex: string, stream: "stdout" | "stderr", line: string): void;
  nowMs(): number;
}

/** The layers of a snapshot as a tree a worker thread can open; fetches and indexes what is missing, in parallel. */
export async function openSnapshot(
  snapshot: Snapshot | null,
  layers: LayerStore,
  signal: AbortSignal,
): Promise<LayersSpec> {
  const locations = (snapshot?.layers ?? []).map(({ diffId }) => layers.readable(diffId, signal));
  return { kind: "layers", layers: await Promise.all(locations) };
}

/** The tree a step reads from; `inputs` holds the snapshots of the vertices it names. */
export async function openSource(
  source: TreeSource,
  inputs: ReadonlyMap<string, Snapshot>,
  context: StepContext,
  signal: AbortSignal,
): Promise<TreeSpec> {
  switch (source.kind) {
    case "empty":
      return { kind: "layers", layers: [] };
    case "context":
      return context.openContext(source.name, signal);
    case "vertex":
      return openSnapshot(inputs.get(source.vertex) ?? null, context.layers, signal);
  }
}
