import { BuildError } from "../base/errors.ts";
import { isHttpUrl, parseGitUrl } from "../context/git-url.ts";
import type { InstructionOf, Stage } from "../dockerfile/instruction.ts";
import { quoteText } from "../dockerfile/quote-text.ts";
import { expandWord } from "../dockerfile/word-expansion.ts";
import type { Platform } from "../image/platform.ts";
import type { ContextNames } from "./context-names.ts";
import { located } from "./located.ts";
import { gitSource, httpSource } from "./plan-copy.ts";
import type { EpochOrigin, PlanInput, PlanSources } from "./plan-input.ts";

const name = "SOURCE_DATE_EPOCH";

/** What SOURCE_DATE_EPOCH says, before anything is asked of the outside world. */
type EpochRequest =
  | { readonly kind: "none" }
  | { readonly kind: "seconds"; readonly seconds: number }
  | { readonly kind: "origin"; readonly origin: EpochOrigin }
  | { readonly kind: "namedContext"; readonly context: string };

/**
 * Seconds since 1970 that the build arg, or else the global ARG, asks for: a number, `context`, a named context, or a
 * stage that consists of one remote ADD. null when there is none.
 */
export async function resolveEpoch(
  input: PlanInput,
  globals: ReadonlyMap<string, string>,
  contexts: ContextNames,
  target: Platform,
  sources: PlanSources,
  signal: AbortSignal,
): Promise<number | null> {
  const value = input.buildArgs.get(name) ?? globals.get(name) ?? "";
  const request = readRequest(value, input, globals, contexts, target);
  switch (request.kind) {
    case "none":
      return null;
    case "seconds":
      return request.seconds;
    case "origin":
      return sources.sourceEpoch(request.origin, signal);
    case "namedContext": {
      const context = await sources.namedContext(request.context, target, signal);
      if (context.kind === "image" || context.kind === "scratch") return null;
      return sources.sourceEpoch(
        context.kind === "tree" ? { kind: "context", context: context.context } : context,
        signal,
      );
    }
  }
}

function readRequest(
  value: string,
  input: PlanInput,
  globals: ReadonlyMap<string, string>,
  contexts: ContextNames,
  target: Platform,
): EpochRequest {
  if (value === "") return { kind: "none" };
  if (/^[+-]?\d{1,15}$/.test(value)) return { kind: "seconds", seconds: Number(value) };
  if (value === "context") return { kind: "origin", origin: { kind: "context", context: "context" } };
  const context = contexts.find(value, target);
  if (context !== null) return { kind: "namedContext", context };
  const stage = input.dockerfile.stages.find(({ from }) => from.stageName === value.toLowerCase());
  if (stage === undefined)
    throw new BuildError("DOCKERFILE_BAD_ARGUMENT", `invalid ${name}: ${quoteText(value)}`, {
      hint: "use seconds since 1970, context, a named context or a stage",
    });
  const others = new Map(globals);
  others.delete(name);
  const origin = located(stage.from.location, () => originOfStage(stage, input, others));
  return { kind: "origin", origin };
}

/** The one remote ADD of a stage that may hold nothing else but ARGs. */
function originOfStage(stage: Stage, input: PlanInput, globals: ReadonlyMap<string, string>): EpochOrigin {
  const values = new Map(globals);
  const expand = (word: string): string => expandWord(word, (key) => values.get(key), input.dockerfile.escape).text;
  if (expand(stage.from.base) !== "scratch") throw unfit("must use FROM scratch");
  let origin: EpochOrigin | null = null;
  for (const instruction of stage.instructions) {
    if (instruction.kind === "arg") {
      for (const { key, value: written } of instruction.args) {
        const value = input.buildArgs.get(key) ?? (written === null ? undefined : expand(written));
        if (value !== undefined) values.set(key, value);
      }
    } else if (instruction.kind === "add") {
      if (origin !== null) throw unfit("must contain exactly one remote ADD");
      origin = originOfAdd(instruction, expand);
    } else {
      throw unfit(`does not meet source-only requirements: unsupported ${instruction.keyword} instruction`);
    }
  }
  if (origin === null) throw unfit("must contain exactly one remote ADD");
  return origin;
}

function originOfAdd(add: InstructionOf<"add">, expand: (word: string) => string): EpochOrigin {
  const [written, ...more] = add.sources;
  if (written === undefined || more.length > 0 || add.heredocs.length > 0)
    throw unfit("must contain exactly one remote ADD source");
  const source = expand(written);
  const checksum = add.checksum === null ? "" : expand(add.checksum);
  if (isHttpUrl(source)) return httpSource(source, checksum === "" ? null : checksum);
  const git = parseGitUrl(source);
  if (git === null || git.looksLocal) throw unfit("source must be a single HTTP(S) or Git ADD");
  return gitSource(git, add.keepGitDir, checksum === "" ? null : checksum);
}

const unfit = (problem: string): BuildError => new BuildError("STAGE_INVALID", `${name} stage ${problem}`);
