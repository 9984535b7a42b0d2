import type { InstructionOf } from "../dockerfile/instruction.ts";
import { expandWord } from "../dockerfile/word-expansion.ts";
import { formatPlatform, normalizePlatform, type Platform } from "../image/platform.ts";
import { located } from "./located.ts";
import type { PlanInput } from "./plan-input.ts";

/** An ARG before the first FROM, as far as it is known before any stage is planned. */
export interface GlobalArg {
  readonly name: string;
  readonly value: string | null;
  /** Other ARGs its default is made of. */
  readonly uses: ReadonlySet<string>;
  readonly instruction: InstructionOf<"arg">;
}

/** What FROM and stages can use without declaring it first. */
export interface GlobalArgs {
  /** Values by name: the automatic platform ARGs and the declared ones that have a value. */
  readonly values: ReadonlyMap<string, string>;
  readonly declared: ReadonlyMap<string, GlobalArg>;
}

/** BUILDPLATFORM, TARGETARCH, … for one target platform; a build arg of the same name wins. */
function automaticArgs(
  input: PlanInput,
  target: Platform,
  buildArgs: ReadonlyMap<string, string>,
): Map<string, string> {
  const build = normalizePlatform(input.buildPlatform);
  const lastStage = input.dockerfile.stages.at(-1)?.from.stageName ?? null;
  const values: readonly (readonly [string, string])[] = [
    ["BUILDPLATFORM", formatPlatform({ ...build, osVersion: "" })],
    ["BUILDOS", build.os],
    ["BUILDOSVERSION", build.osVersion],
    ["BUILDARCH", build.architecture],
    ["BUILDVARIANT", build.variant],
    ["TARGETPLATFORM", formatPlatform(target)],
    ["TARGETOS", target.os],
    ["TARGETOSVERSION", target.osVersion],
    ["TARGETARCH", target.architecture],
    ["TARGETVARIANT", target.variant],
    ["TARGETSTAGE", input.target ?? lastStage ?? "default"],
  ];
  return new Map(values.map(([name, value]) => [name, buildArgs.get(name) ?? value]));
}

/** Evaluates the ARGs before the first FROM: each default sees the ARGs above it. */
export function evaluateGlobalArgs(
  input: PlanInput,
  target: Platform,
  buildArgs: ReadonlyMap<string, string>,
): GlobalArgs {
  const values = automaticArgs(input, target, buildArgs);
  const declared = new Map<string, GlobalArg>();
  for (const instruction of input.dockerfile.globalArgs) {
    for (const { key: name, value: written } of instruction.args) {
      const given = buildArgs.get(name);
      const expanded =
        given === undefined && written !== null
          ? located(instruction.location, () =>
              expandWord(written, (other) => values.get(other), input.dockerfile.escape),
            )
          : null;
      const value = given ?? expanded?.text ?? null;
      if (value !== null) values.set(name, value);
      const uses = new Set(expanded?.used);
      if (uses.delete(name)) for (const earlier of declared.get(name)?.uses ?? []) uses.add(earlier);
      declared.set(name, { name, value, uses, instruction });
    }
  }
  return { values, declared };
}
