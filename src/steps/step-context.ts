import type { DiffId, Digest } from "../base/digest.ts";
import type { TaskRunner } from "../base/task.ts";
import type { LayersSpec, TreeSpec } from "../context/tree-spec.ts";
import type { LayerLocation } from "../layer/layer-location.ts";
import type { TreeSource } from "../plan/build-graph.ts";
import type { LayerStore } from "../store/layer-store.ts";
import type { NewStatCacheRows, SourceTrees } from "./copy/source-trees.ts";
import type { HttpNotes } from "./http-step.ts";
import type { Snapshot } from "./snapshot.ts";

/** The layers that steps made before their sources changed. Only saves work: forgetting one costs nothing else. */
export interface EarlierLayers {
  /** The layer last saved under `key`, if its tar is here. */
  find(key: Digest): Promise<LayerLocation | null>;
  save(key: Digest, diffId: DiffId): Promise<void>;
}

/** What every op needs of the world around it. */
export interface StepContext {
  readonly tasks: TaskRunner;
  readonly layers: LayerStore;
  /** diffIDs of an image that planning resolved, by its manifest; the layers are known to `layers`. */
  layersOfImage(manifest: Digest): readonly DiffId[];
  /** The tree of a build context by name; "context" is the main one. */
  openContext(name: string, signal: AbortSignal): Promise<TreeSpec>;
  /** The contexts as this thread sees them, read once a build; for `hashKnownCopy`. */
  readonly knownTrees: SourceTrees;
  /** Takes what a task found out about the files of contexts. */
  noteDigests(rows: readonly NewStatCacheRows[]): void;
  /** What URLs meant when they were last downloaded. */
  readonly httpNotes: HttpNotes;
  readonly earlierLayers: EarlierLayers;
  nowMs(): number;
}

/** The layers of a snapshot as a tree a worker thread can open; what is missing is fetched and indexed, in parallel. */
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

/** `parent` with one more layer on top. */
export function addLayer(parent: Snapshot | null, diffId: DiffId, createdAtMs: number): Snapshot {
  return { layers: [...(parent?.layers ?? []), { diffId, createdAtMs }] };
}

/** The snapshot of `parent` among the inputs; null for a step that starts from nothing. */
export function parentOf(inputs: ReadonlyMap<string, Snapshot>, parent: string | null): Snapshot | null {
  return parent === null ? null : (inputs.get(parent) ?? null);
}
