import type { OutputSpec } from "../output/parse-output-flag.ts";
import type { BuildGraph, VertexId } from "../plan/build-graph.ts";
import type { BlobFormat } from "../store/layer-store.ts";
import type { BuildRequest } from "./build-request.ts";

/** Vertices whose layers will leave the machine as they are, and what they will be compressed to then. */
export interface LeavingLayers {
  readonly vertices: ReadonlySet<VertexId>;
  readonly format: BlobFormat;
}

/** What is known to leave when the build is done; null when nothing is, or not in the form the steps make. */
export function leavingLayers(graph: BuildGraph, request: BuildRequest): LeavingLayers | null {
  if (request.squash !== null) return null;
  const [format] = request.outputs.flatMap(formatOf);
  if (format === undefined) return null;
  const vertices = new Set<VertexId>();
  const specs = new Map(graph.vertices.map(({ id, spec }) => [id, spec]));
  const follow = (id: VertexId | null): void => {
    const spec = id === null ? undefined : specs.get(id);
    if (id === null || spec === undefined || vertices.has(id)) return;
    vertices.add(id);
    if ("parent" in spec) follow(spec.parent);
    if (spec.kind === "merge") follow(spec.layer);
  };
  for (const { rootfs } of graph.images) follow(rootfs);
  return { vertices, format };
}

function formatOf(output: OutputSpec): readonly BlobFormat[] {
  if (output.kind !== "oci" && output.kind !== "docker" && !(output.kind === "image" && output.push)) return [];
  const { format } = output.compression;
  return format.compression === "none" || output.rewriteTimestamps ? [] : [format];
}
