import { isDeepStrictEqual } from "node:util";
import type { GraphVertex, OpSpec, VertexId } from "./build-graph.ts";

export type NewVertex = Omit<GraphVertex, "id">;

/** Parts that tell most vertices apart, cheap to compare; the environment may be long and is left out. */
function fingerprint(spec: OpSpec): string {
  switch (spec.kind) {
    case "run":
      return JSON.stringify([spec.kind, spec.parent, spec.cwd, spec.user, spec.args, spec.env.length]);
    case "copy":
      return JSON.stringify([spec.kind, spec.parent, spec.actions]);
    default:
      return JSON.stringify(spec);
  }
}

/** Collects vertices in topological order; equal ones become one. */
export class GraphBuilder {
  readonly #vertices: GraphVertex[] = [];
  readonly #byFingerprint = new Map<string, GraphVertex[]>();

  /** Id of the vertex, which may have been there before, under the name it got first. */
  add(vertex: NewVertex): VertexId {
    const mark = `${vertex.ignoreCache} ${fingerprint(vertex.spec)}`;
    const alike = this.#byFingerprint.get(mark) ?? [];
    const equal = alike.find((other) => isEqualSpec(other.spec, vertex.spec));
    if (equal !== undefined) return equal.id;
    const added = { id: `v${this.#vertices.length}`, ...vertex };
    this.#vertices.push(added);
    alike.push(added);
    this.#byFingerprint.set(mark, alike);
    return added.id;
  }

  /** All vertices, inputs first. */
  get vertices(): readonly GraphVertex[] {
    return this.#vertices;
  }

  /** Those vertices that `roots` stand on, directly or not, and the roots themselves. */
  neededFor(roots: readonly VertexId[]): readonly GraphVertex[] {
    const needed = new Set(roots);
    for (const vertex of this.#vertices.toReversed()) {
      if (!needed.has(vertex.id)) continue;
      for (const input of inputsOf(vertex.spec)) needed.add(input);
    }
    return this.#vertices.filter((vertex) => needed.has(vertex.id));
  }
}

function isEqualSpec(a: OpSpec, b: OpSpec): boolean {
  if (a.kind === "run" && b.kind === "run" && !isEqualList(a.env, b.env)) return false;
  return isDeepStrictEqual(a, b);
}

/** Compared from the end: variables that differ were assigned last. */
function isEqualList(a: readonly string[], b: readonly string[]): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let at = a.length - 1; at >= 0; at -= 1) if (a[at] !== b[at]) return false;
  return true;
}

/** The vertices an op reads from. */
export function inputsOf(spec: OpSpec): readonly VertexId[] {
  const parent = "parent" in spec && spec.parent !== null ? [spec.parent] : [];
  switch (spec.kind) {
    case "run": {
      const sources = spec.mounts.flatMap((mount) =>
        mount.kind === "bind"
          ? [mount.source]
          : mount.kind === "cache" && mount.seed !== null
            ? [mount.seed.source]
            : [],
      );
      return [...parent, ...sources.flatMap((source) => (source.kind === "vertex" ? [source.vertex] : []))];
    }
    case "copy":
      return [
        ...parent,
        ...spec.actions.flatMap((action) =>
          action.kind === "paths" && action.source.kind === "vertex" ? [action.source.vertex] : [],
        ),
      ];
    case "merge":
      return [...parent, spec.layer];
    default:
      return parent;
  }
}
