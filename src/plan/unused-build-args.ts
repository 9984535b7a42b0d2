import type { Instruction } from "../dockerfile/instruction.ts";
import type { BuildWarning } from "./build-graph.ts";
import type { PlanInput } from "./plan-input.ts";
import { isProxyName } from "./proxy-environment.ts";

/** Args that work without an ARG. */
const predefined =
  /^(?:BUILDKIT_.*|SOURCE_DATE_EPOCH|(?:BUILD|TARGET)(?:PLATFORM|OS|OSVERSION|ARCH|VARIANT)|TARGETSTAGE)$/;

/** A warning when build args were given that no ARG of the Dockerfile takes. */
export function unusedBuildArgs({ buildArgs, dockerfile }: PlanInput): readonly BuildWarning[] {
  const instructions: readonly Instruction[] = [
    ...dockerfile.globalArgs,
    ...dockerfile.stages.flatMap((stage) => stage.instructions),
  ];
  const declared = new Set(
    instructions.flatMap((instruction) => (instruction.kind === "arg" ? instruction.args.map(({ key }) => key) : [])),
  );
  const unused = [...buildArgs.keys()].filter(
    (name) => !declared.has(name) && !predefined.test(name) && !isProxyName(name),
  );
  if (unused.length === 0) return [];
  const message = `One or more build-args [${unused.sort().join(" ")}] were not consumed`;
  return [{ rule: "BuildArgNotConsumed", message, location: null }];
}
