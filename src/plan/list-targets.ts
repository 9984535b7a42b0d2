import type { SourceLocation } from "../base/source-location.ts";
import type { Dockerfile } from "../dockerfile/instruction.ts";
import { docComment } from "./doc-comment.ts";

/** A stage as something that can be built. */
export interface BuildTarget {
  /** null for a stage without a name, which can only be built as the last one. */
  readonly name: string | null;
  /** From the comment `# <name> <description>` in front of FROM. */
  readonly description: string;
  /** Built when no target is named. */
  readonly isDefault: boolean;
  /** As written, variables and all. */
  readonly base: string;
  readonly platform: string | null;
  readonly location: SourceLocation;
}

/** The stages of a Dockerfile in order. */
export function listTargets({ stages }: Dockerfile): readonly BuildTarget[] {
  return stages.map(({ from }, at) => ({
    name: from.stageName,
    description: from.stageName === null ? "" : docComment(from.comments, from.stageName),
    isDefault: at === stages.length - 1,
    base: from.base,
    platform: from.platform,
    location: from.location,
  }));
}
