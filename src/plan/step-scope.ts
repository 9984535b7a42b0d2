import { BuildError } from "../base/errors.ts";
import { expandHeredoc, expandWord, expandWords, type Lookup } from "../dockerfile/word-expansion.ts";
import type { OpSpec, TreeSource, VertexId } from "./build-graph.ts";
import type { BuildScope } from "./build-scope.ts";
import { cleanPath } from "./container-path.ts";
import { hiddenArgs } from "./hidden-args.ts";
import type { StageDraft } from "./stage-draft.ts";
import type { PlannedStep, StagePlan } from "./stage-plan.ts";
import { displayText, type StepNames } from "./step-names.ts";

const mainContext: TreeSource = { kind: "context", name: "context" };

/** One instruction in its stage: what its planning reads and changes. */
export class StepScope {
  readonly build: BuildScope;
  readonly draft: StageDraft;
  readonly #plan: StagePlan;
  readonly #step: PlannedStep;
  readonly #names: StepNames;
  #name: { readonly prefix: string; readonly text: string } | null = null;

  constructor(build: BuildScope, plan: StagePlan, draft: StageDraft, step: PlannedStep, names: StepNames) {
    this.build = build;
    this.draft = draft;
    this.#plan = plan;
    this.#step = step;
    this.#names = names;
  }

  /** A word with its variables replaced and its quotes removed. */
  expand(word: string): string {
    const { text, unset } = expandWord(word, this.lookup, this.build.input.dockerfile.escape);
    this.#warnUnset(unset);
    return this.build.budget.count(text);
  }

  /** The same, split at white space, as EXPOSE has it: BuildKit does not warn of what is not set there. */
  expandToWords(word: string): readonly string[] {
    const { words } = expandWords(word, this.lookup, this.build.input.dockerfile.escape);
    return words.map((text) => this.build.budget.count(text));
  }

  /** The body of a heredoc with its variables replaced. */
  expandHeredoc(content: string): string {
    const { text, unset } = expandHeredoc(content, this.lookup);
    this.#warnUnset(unset);
    return this.build.budget.count(text);
  }

  readonly lookup: Lookup = (name) => this.draft.environment.get(name);

  warn(rule: string, message: string): void {
    this.build.warnings.add(rule, message, this.#step.instruction);
  }

  /** ARGs that were declared may be without a value; those for tsbuild itself are never seen. */
  #warnUnset(unset: ReadonlySet<string>): void {
    for (const name of unset) {
      if (this.draft.args.has(name) || hiddenArgs.has(name)) continue;
      this.build.warnings.addUndefined(name, this.draft.environment, this.#step.instruction);
    }
  }

  /** Notes where CMD, ENTRYPOINT or HEALTHCHECK stands: only the last one of a stage counts. */
  markOnce(kind: "cmd" | "entrypoint" | "healthcheck"): void {
    const earlier = this.draft.seenOnce.get(kind);
    if (earlier !== undefined) {
      const message = `Multiple ${this.#step.instruction.keyword} instructions should not be used in the same stage because only the last one will be used`;
      this.build.warnings.add("MultipleInstructionsDisallowed", message, {
        ...this.#step.instruction,
        location: earlier,
      });
    }
    this.draft.seenOnce.set(kind, this.#step.instruction.location);
  }

  warnIfIgnored(source: string): void {
    const path = cleanPath(`/${source}`).slice(1);
    if (path === "" || this.build.isIgnored === null || !this.build.isIgnored(path)) return;
    const action = this.#step.instruction.kind === "add" ? "Add" : "Copy";
    this.warn(
      "CopyIgnoredFile",
      `Attempting to ${action} file ${JSON.stringify(path)} that is excluded by .dockerignore`,
    );
  }

  /** The tree COPY and ADD read local paths from. */
  copySource(): TreeSource {
    const { instruction } = this.#step;
    if (instruction.kind !== "copy" || !instruction.from) return mainContext;
    const tree = this.#treeOf(instruction.from);
    if (tree !== null) return tree;
    throw new BuildError(
      "STAGE_INVALID",
      `cannot copy from stage ${JSON.stringify(instruction.from)}, it needs to be defined before current stage ${JSON.stringify(this.#plan.label)}`,
    );
  }

  /** The tree a mount shows. */
  mountSource(from: string, target: string): TreeSource {
    const tree = this.#treeOf(from);
    if (tree !== null) return tree;
    throw new BuildError(
      "STAGE_INVALID",
      `cannot mount from stage ${JSON.stringify(from)} to ${JSON.stringify(target)}, stage needs to be defined before current command`,
    );
  }

  #treeOf(from: string): TreeSource | null {
    const source = this.#step.sources.get(from);
    return source === undefined ? null : (this.build.trees.get(source) ?? null);
  }

  /** The vertex a step stands on; null for an empty file system. */
  parent(): VertexId | null {
    if (this.draft.rootfs.kind === "empty") return null;
    return layersOf(this.draft, this.build);
  }

  /** Adds the step's vertex on top of the stage, with its history row. */
  addLayer(spec: OpSpec, createdBy: string): void {
    this.#setTop(this.#addVertex(spec, this.#vertexName(), this.#ignoresCache(spec)), createdBy);
  }

  /** Adds a step that stands on nothing, and its layer on top of the stage. */
  addLinkedLayer(spec: OpSpec, createdBy: string): void {
    const layer = this.#addVertex(spec, this.#vertexName(), this.#ignoresCache(spec));
    const parent = this.parent();
    if (parent === null) {
      this.#setTop(layer, createdBy);
      return;
    }
    const merge: OpSpec = { kind: "merge", parent, layer };
    this.#setTop(this.#addVertex(merge, this.#vertexName("LINK "), this.#ignoresCache(merge)), createdBy);
  }

  #setTop(vertex: VertexId, createdBy: string): void {
    this.draft.rootfs = { kind: "vertex", vertex };
    this.draft.addLayerRow(vertex, createdBy);
  }

  /** A remote source of the step. */
  addSource(spec: OpSpec): VertexId {
    return this.#addVertex(spec, this.#vertexName(), false);
  }

  #ignoresCache(spec: OpSpec): boolean {
    return this.#plan.ignoreCache && spec.kind !== "workdir";
  }

  #addVertex(spec: OpSpec, name: string, ignoreCache: boolean): VertexId {
    const { location } = this.#step.instruction;
    return this.build.graph.add({ spec, name, stage: this.#plan.label, location, ignoreCache });
  }

  /** All vertices of a step have one number. */
  #vertexName(verb = ""): string {
    this.#name ??= {
      prefix: this.#names.next(this.draft.platform, this.draft.environment) + (this.#step.isOnBuild ? "ONBUILD " : ""),
      text: this.build.budget.count(
        displayText(this.#step.instruction, this.lookup, this.build.input.dockerfile.escape),
      ),
    };
    return this.#name.prefix + verb + this.#name.text;
  }
}

/** The top vertex of a stage whose file system is not empty; a context becomes a layer of its own. */
export function layersOf(draft: StageDraft, build: BuildScope): VertexId | null {
  const { rootfs } = draft;
  if (rootfs.kind === "empty") return null;
  if (rootfs.kind === "vertex") return rootfs.vertex;
  const name = `[context ${rootfs.name}] load`;
  const vertex = build.graph.add({
    spec: {
      kind: "copy",
      parent: null,
      actions: [
        {
          kind: "paths",
          source: rootfs,
          paths: ["/"],
          destination: "/",
          chown: null,
          chmod: null,
          parents: false,
          excludes: [],
          unpack: "never",
        },
      ],
      instruction: "COPY",
    },
    name,
    stage: "",
    location: null,
    ignoreCache: false,
  });
  draft.rootfs = { kind: "vertex", vertex };
  draft.addLayerRow(vertex, name, foreignLayerComment);
  return vertex;
}

/** Comment of a history row that no instruction stands for. */
export const foreignLayerComment = "buildkit.exporter.image.v0";
