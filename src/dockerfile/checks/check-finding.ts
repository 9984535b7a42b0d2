import type { SourceLocation } from "../../base/source-location.ts";
import type { Dockerfile, Instruction } from "../instruction.ts";

/** What a build check found: something odd that does not stop the build. */
export interface CheckFinding {
  /** Name of the rule, as in `# check=skip=NAME`. */
  readonly rule: string;
  readonly message: string;
  readonly location: SourceLocation | null;
}

/** A finding by its rule, at an instruction whose comments may switch the rule off. */
export interface Found {
  readonly message: string;
  readonly at: Pick<Instruction, "location" | "comments">;
}

/** A rule about a Dockerfile as a whole. */
export interface FileRule {
  readonly name: string;
  find(dockerfile: Dockerfile): readonly Found[];
}

/** What a rule about one instruction may know besides it. */
export interface InstructionContext {
  /** A SHELL is in force, from the base image, an earlier stage or this one. */
  readonly isShellSet: boolean;
}

/** A rule about one instruction: the messages of its findings. */
export interface InstructionRule {
  readonly name: string;
  find(instruction: Instruction, context: InstructionContext): readonly string[];
}
