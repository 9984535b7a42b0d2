import { BuildError } from "../base/errors.ts";
import type { SourceLocation } from "../base/source-location.ts";
import type { Instruction, Stage } from "../dockerfile/instruction.ts";
import type { Platform } from "../image/platform.ts";
import type { ResolvedBase } from "./resolve-bases.ts";

/** An instruction of a stage and the stages or images it reads from, by the name it uses for them. */
export interface PlannedStep {
  readonly instruction: Instruction;
  readonly sources: ReadonlyMap<string, StagePlan>;
  readonly isOnBuild: boolean;
}

/** A stage before its instructions are planned, or an image or context that `--from` names. */
export interface StagePlan {
  /** null for what is no stage of the Dockerfile. */
  readonly stage: Stage | null;
  /** For progress and messages: the stage's name, or `stage-2`. */
  readonly label: string;
  /** What stands after FROM or `--from=`, expanded. */
  readonly baseName: string;
  /** The earlier stage this one starts from. */
  readonly base: StagePlan | null;
  /** The named context that takes the place of the whole stage, as the user named it. */
  readonly replacement: string | null;
  /** `--platform`; null when not given. */
  readonly platform: Platform | null;
  readonly location: SourceLocation;
  readonly ignoreCache: boolean;
  steps: readonly PlannedStep[];
  /** Stages it reads from and the place that says so. */
  readonly dependencies: Map<StagePlan, SourceLocation>;
  /** Triggers of the base were put in front of the steps. */
  hasTriggers: boolean;
  /** What the stage starts from, when that is no other stage; null before it is looked up. */
  resolved: ResolvedBase | null;
}

/** The stages of a Dockerfile by name and number. */
export class StageTable {
  readonly stages: StagePlan[] = [];
  readonly #byName = new Map<string, StagePlan>();
  readonly #external = new Map<string, StagePlan>();

  add(plan: StagePlan): void {
    this.stages.push(plan);
    const name = plan.stage?.from.stageName ?? null;
    if (name !== null) this.#byName.set(name, plan);
  }

  /** The stage FROM means: the name must be spelled in lower case. */
  findBase(name: string): StagePlan | null {
    return this.#byName.get(name) ?? null;
  }

  /** The stage `--from` and `--target` mean, in any case. */
  find(name: string): StagePlan | null {
    return this.#byName.get(name.toLowerCase()) ?? null;
  }

  /** The stage with that number, counted from 0. Throws STAGE_NOT_FOUND. */
  at(index: number): StagePlan {
    const plan = this.stages[index];
    if (plan === undefined)
      throw new BuildError("STAGE_NOT_FOUND", `invalid stage index ${index}`, {
        hint: `stages are counted from 0, the last one is ${this.stages.length - 1}`,
      });
    return plan;
  }

  names(): readonly string[] {
    return this.stages.map((plan) => plan.label);
  }

  /** What `--from=name` stands for when no stage has that name: an image or a named context. */
  external(name: string, location: SourceLocation): StagePlan {
    const known = this.#external.get(name);
    if (known !== undefined) return known;
    const plan: StagePlan = {
      stage: null,
      label: name,
      baseName: name,
      base: null,
      replacement: null,
      platform: null,
      location,
      ignoreCache: false,
      steps: [],
      dependencies: new Map(),
      hasTriggers: false,
      resolved: null,
    };
    this.#external.set(name, plan);
    return plan;
  }

  get hasExternals(): boolean {
    return this.#external.size > 0;
  }
}

/** The given stages and every stage they need, directly or not. */
export function reachableFrom(roots: readonly StagePlan[]): ReadonlySet<StagePlan> {
  const reached = new Set(roots);
  for (const plan of reached) {
    if (plan.base !== null) reached.add(plan.base);
    for (const dependency of plan.dependencies.keys()) reached.add(dependency);
  }
  return reached;
}
