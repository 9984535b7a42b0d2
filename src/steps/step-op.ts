import type { JsonValue } from "../base/canonical-json.ts";
import type { CacheKey } from "../base/digest.ts";
import { BuildError } from "../base/errors.ts";
import type { GraphVertex, OpSpec } from "../plan/build-graph.ts";
import type { Op } from "../solve/op.ts";
import type { Snapshot } from "./snapshot.ts";
import type { KeyedStep, ReadContent, TreeRead } from "./step-key.ts";

export type SpecOf<K extends OpSpec["kind"]> = Extract<OpSpec, { readonly kind: K }>;

/** What one kind of step does; `createStepOp` makes an op of it. */
export interface Step {
  /** Vertices whose key is part of this step's key. */
  readonly parents: readonly string[];
  /** Where the step reads trees by their content, in the order `key` wants it. */
  readonly reads: readonly TreeRead[];
  key(parents: ReadonlyMap<string, CacheKey>, reads: readonly ReadContent[], signal: AbortSignal): Promise<KeyedStep>;
  /** Digests of what is read; `position` is that of the read in `reads`. */
  hashReads(
    positions: readonly number[],
    inputs: ReadonlyMap<string, Snapshot>,
    signal: AbortSignal,
  ): Promise<readonly ReadContent[]>;
  /** As `Op.checkMachine`. */
  readonly checkMachine?: () => void;
  /** As in `Op`; only for steps that read no trees of vertices. */
  shouldRunAhead?(isForced: boolean, signal: AbortSignal): Promise<boolean>;
  runAhead?(inputs: ReadonlyMap<string, Snapshot>, signal: AbortSignal): Promise<void>;
  run(inputs: ReadonlyMap<string, Snapshot>, signal: AbortSignal): Promise<Snapshot>;
}

/** An op of the solver that can tell what its key was made of. */
export interface StepOp extends Op<Snapshot> {
  readonly vertex: GraphVertex;
  /** What the key was made of; null before it was. */
  keyInputs(): JsonValue | null;
}

/**
 * The op of a vertex. Contexts are always read by content; the trees of other vertices by definition first, and by
 * content when nothing is found under that key.
 */
export function createStepOp(vertex: GraphVertex, step: Step): StepOp {
  const fromVertices = step.reads.flatMap(({ source }, position) =>
    source.kind === "vertex" ? [{ position, vertex: source.vertex }] : [],
  );
  const fromElsewhere = step.reads.flatMap(({ source }, position) => (source.kind === "vertex" ? [] : [position]));
  let elsewhere: Promise<readonly ReadContent[]> | null = null;
  let inputs: JsonValue | null = null;

  const keyWith = async (
    parents: ReadonlyMap<string, CacheKey>,
    vertexReads: readonly ReadContent[],
    signal: AbortSignal,
  ): Promise<CacheKey> => {
    elsewhere ??= step.hashReads(fromElsewhere, new Map(), signal);
    const reads: ReadContent[] = [];
    for (const [index, content] of (await elsewhere).entries()) reads[fromElsewhere[index] as number] = content;
    for (const [index, content] of vertexReads.entries()) reads[fromVertices[index]?.position as number] = content;
    const keyed = await step.key(parents, reads, signal);
    inputs = keyed.inputs;
    return keyed.key;
  };

  return {
    id: vertex.id,
    vertex,
    definitionInputs: step.parents,
    contentInputs: fromVertices.map((read) => read.vertex),
    ignoreCache: vertex.ignoreCache,
    keyInputs: () => inputs,
    definitionKey: (keys, signal) =>
      keyWith(
        keys,
        fromVertices.map((read): ReadContent => ({ by: "definition", key: keyOf(keys, read.vertex) })),
        signal,
      ),
    contentKey: async (keys, contents, signal) => {
      const positions = fromVertices.map((read) => read.position);
      return keyWith(keys, await step.hashReads(positions, contents, signal), signal);
    },
    ...(step.checkMachine === undefined ? {} : { checkMachine: step.checkMachine }),
    shouldRunAhead: async (isForced, signal) =>
      fromVertices.length === 0 && (await step.shouldRunAhead?.(isForced, signal)) === true,
    runAhead: async (results, signal) => step.runAhead?.(results, signal),
    run: (results, signal) => step.run(results, signal),
  };
}

/** The key of an input vertex, which the solver always gives. */
export function keyOf(keys: ReadonlyMap<string, CacheKey>, vertex: string): CacheKey {
  const key = keys.get(vertex);
  if (key === undefined) throw new BuildError("INTERNAL", `vertex ${vertex} has no key`);
  return key;
}

/** The key of a parent; null when the step starts from nothing. */
export const parentKey = (keys: ReadonlyMap<string, CacheKey>, parent: string | null): CacheKey | null =>
  parent === null ? null : keyOf(keys, parent);

/** For steps that read no trees. */
export const readsNothing: Pick<Step, "reads" | "hashReads"> = { reads: [], hashReads: async () => [] };
