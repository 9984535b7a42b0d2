import { BuildError } from "../base/errors.ts";
import type { SourceLocation } from "../base/source-location.ts";
import type { Dockerfile, Instruction, InstructionOf, Stage } from "./instruction.ts";
import { parseInstruction } from "./parse-instruction.ts";
import { parseSource } from "./parse-source.ts";

/** A Dockerfile may have this many bytes. */
export const maxDockerfileBytes = 16 << 20;

/**
 * Parses a Dockerfile: its bytes, and the path to name in messages. What is wrong is told with a location:
 * DOCKERFILE_SYNTAX, DOCKERFILE_UNKNOWN_INSTRUCTION, DOCKERFILE_BAD_FLAG, DOCKERFILE_BAD_ARGUMENT, MOUNT_INVALID,
 * STAGE_INVALID, DOCKERFILE_TOO_LARGE. The syntax of all lines is checked before the meaning of the first.
 */
export function parseDockerfile(bytes: Uint8Array, file: string): Dockerfile {
  const { text, isDamaged } = decode(bytes, file);
  const { nodes, ...directives } = parseSource(text, file, isDamaged);
  const globalArgs: InstructionOf<"arg">[] = [];
  const stages: { readonly from: InstructionOf<"from">; readonly instructions: Instruction[] }[] = [];
  for (const node of nodes) {
    const instruction = parseInstruction(node);
    const stage = stages.at(-1);
    if (instruction.kind === "from") stages.push({ from: instruction, instructions: [] });
    else if (stage !== undefined) stage.instructions.push(instruction);
    else if (instruction.kind === "arg") globalArgs.push(instruction);
    else
      throw new BuildError("DOCKERFILE_SYNTAX", "no build stage in current context", {
        location: instruction.location,
        hint: `only ARG may stand before the first FROM, not ${instruction.keyword.toUpperCase()}`,
      });
  }
  if (stages.length === 0)
    throw new BuildError("DOCKERFILE_SYNTAX", "dockerfile contains no stages to build", {
      location: nodes.at(-1)?.location,
      hint: "add a FROM",
    });
  return { file, text, ...directives, globalArgs, stages: stages satisfies Stage[] };
}

/**
 * An ONBUILD trigger from an image config or an earlier stage, heredocs included. Its escape character is the
 * backslash. `location` is that of the FROM that runs it. Throws as `parseDockerfile` does.
 */
export function parseOnbuildTrigger(expression: string, location: SourceLocation): Instruction {
  const [node, second] = parseSource(expression, location.file, false).nodes;
  if (node === undefined || second !== undefined)
    throw new BuildError("DOCKERFILE_SYNTAX", "onbuild trigger should be a single expression", { location });
  const instruction = parseInstruction({ ...node, location });
  if (instruction.kind === "from" || instruction.kind === "maintainer" || instruction.kind === "onbuild")
    throw new BuildError(
      "DOCKERFILE_BAD_ARGUMENT",
      `${instruction.keyword.toUpperCase()} isn't allowed as an ONBUILD trigger`,
      { location },
    );
  return instruction;
}

function decode(bytes: Uint8Array, file: string): { readonly text: string; readonly isDamaged: boolean } {
  const location = { file, startLine: 1, endLine: 1 };
  if (bytes.length === 0) throw new BuildError("DOCKERFILE_SYNTAX", "the Dockerfile cannot be empty", { location });
  if (bytes.length > maxDockerfileBytes)
    throw new BuildError(
      "DOCKERFILE_TOO_LARGE",
      `the Dockerfile has ${bytes.length} bytes: at most ${maxDockerfileBytes} are allowed`,
      { location },
    );
  try {
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(bytes), isDamaged: false };
  } catch {
    return { text: new TextDecoder("utf-8").decode(bytes), isDamaged: true };
  }
}
