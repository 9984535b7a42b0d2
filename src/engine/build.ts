import type { ProgressSink } from "../base/build-event.ts";
import { BuildError, isBuildError, toWire, withFacts } from "../base/errors.ts";
import type { BuildGraph } from "../plan/build-graph.ts";
import { type SolveObserver, solve } from "../solve/solve.ts";
import type { Snapshot } from "../steps/snapshot.ts";
import type { StepOp } from "../steps/step-op.ts";
import type { CacheRecords } from "../store/cache-records.ts";
import { StoreChanged } from "../store/store-hold.ts";
import type { BuildRequest } from "./build-request.ts";
import type { BuiltImage } from "./finish-images.ts";
import { SnapshotCache } from "./snapshot-cache.ts";

/** Makes what the graph describes: the layers of its images, which are not assembled and have not gone anywhere. */
export async function solveGraph(
  graph: BuildGraph,
  ops: readonly StepOp[],
  request: BuildRequest,
  records: CacheRecords,
  sink: ProgressSink,
  signal: AbortSignal,
): Promise<readonly BuiltImage[]> {
  sink.emit({
    kind: "plan",
    atMs: Date.now(),
    vertices: graph.vertices.map(({ id, name, location }) => ({ id, name, location })),
  });
  const targets = graph.images.flatMap(({ rootfs }) => (rootfs === null ? [] : [rootfs]));
  const cache = new SnapshotCache(records, ops, Date.now);
  const observer = observe(graph, sink);
  let results: ReadonlyMap<string, Snapshot>;
  try {
    results = await solve(ops, targets, cache, { parallelism: request.jobs }, observer.observer, signal);
  } catch (error) {
    throw locate(error, graph, observer.failedVertex());
  }
  return graph.images.map((draft) => {
    const layers = draft.rootfs === null ? [] : results.get(draft.rootfs)?.layers;
    if (layers === undefined) throw new BuildError("INTERNAL", `vertex ${draft.rootfs} has no result`);
    return { draft, layers, squashed: null };
  });
}

/** Turns what the solver tells into events; vertices cancelled before they began are not shown. */
function observe(
  graph: BuildGraph,
  sink: ProgressSink,
): { readonly observer: SolveObserver; failedVertex(): string | null } {
  const started = new Set<string>();
  const places = new Map(graph.vertices.map((vertex) => [vertex.id, vertex.location]));
  let failed: string | null = null;
  const observer: SolveObserver = {
    started(vertex) {
      started.add(vertex);
      sink.emit({ kind: "started", atMs: Date.now(), vertex });
    },
    cached: (vertex) => sink.emit({ kind: "cached", atMs: Date.now(), vertex }),
    completed: (vertex) => sink.emit({ kind: "completed", atMs: Date.now(), vertex }),
    failed(vertex, error) {
      if (isBuildError(error, "BUILD_CANCELLED") || error instanceof StoreChanged) {
        if (started.has(vertex)) sink.emit({ kind: "cancelled", atMs: Date.now(), vertex });
        return;
      }
      failed ??= vertex;
      const location = places.get(vertex) ?? undefined;
      sink.emit({
        kind: "failed",
        atMs: Date.now(),
        vertex,
        error: toWire(isBuildError(error) ? withFacts(error, { location }) : error),
      });
    },
  };
  return { observer, failedVertex: () => failed };
}

/** A failed step's error, with the line of the Dockerfile it stands on. */
function locate(error: unknown, graph: BuildGraph, failed: string | null): unknown {
  const location = graph.vertices.find(({ id }) => id === failed)?.location;
  if (!isBuildError(error) || location === undefined || location === null) return error;
  return isBuildError(error, "BUILD_CANCELLED") ? error : withFacts(error, { location });
}
