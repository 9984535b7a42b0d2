import { BuildError } from "../base/errors.ts";
import type { BuildRequest } from "../engine/build-request.ts";
import { type Engine, openEngine } from "../engine/engine.ts";
import { toRequest } from "./build-command.ts";
import type { BuildOptions } from "./command-line.ts";
import { FailureRecorder } from "./failure-recorder.ts";
import type { Call } from "./parse-call.ts";
import { checkAsJson, outlineAsJson, renderCheck, renderOutline, renderTargets, targetsAsJson } from "./render-call.ts";
import { renderError } from "./render-error.ts";
import { ReportedError } from "./reported-error.ts";
import { storeRoot } from "./store-root.ts";
import { withInterrupt } from "./with-interrupt.ts";

/** What is printed, and what makes the command fail nevertheless. */
interface Answer {
  readonly text: string;
  /** The error a build would stop at. */
  readonly error: BuildError | null;
  readonly hasFindings: boolean;
}

/** `tsbuild build --call=…`: answers a question about the build on standard output, and builds nothing. */
export async function runCall(call: Call, context: string, options: BuildOptions): Promise<void> {
  const recorder = new FailureRecorder();
  let answer: Answer;
  try {
    const request = toRequest(context, options);
    answer = await withInterrupt(async (signal) => {
      const engine = await openEngine({ root: storeRoot(options.root), environment: process.env });
      try {
        return await ask(call, engine, request, recorder, signal);
      } finally {
        await engine.close();
      }
    });
  } catch (error) {
    throw await reported(error, recorder, options);
  }
  process.stdout.write(answer.text);
  if (call.ignoresStatus) return;
  if (answer.error !== null) throw await reported(answer.error, recorder, options);
  if (answer.hasFindings) throw new ReportedError(new BuildError("DOCKERFILE_CHECK_FAILED", "there are warnings"));
}

async function ask(
  { method, format }: Call,
  engine: Engine,
  request: BuildRequest,
  recorder: FailureRecorder,
  signal: AbortSignal,
): Promise<Answer> {
  const isJson = format === "json";
  switch (method) {
    case "check": {
      const report = await engine.check(request, recorder, signal);
      const text = isJson ? checkAsJson(report) : renderCheck(report);
      return { text, error: report.error, hasFindings: report.warnings.length > 0 };
    }
    case "outline": {
      const { outline, dockerfile } = await engine.outline(request, recorder, signal);
      const text = isJson ? outlineAsJson(outline, dockerfile) : renderOutline(outline);
      return { text, error: null, hasFindings: false };
    }
    case "targets": {
      const { targets, dockerfile } = await engine.targets(request, recorder, signal);
      const text = isJson ? targetsAsJson(targets, dockerfile) : renderTargets(targets);
      return { text, error: null, hasFindings: false };
    }
  }
}

async function reported(error: unknown, recorder: FailureRecorder, options: BuildOptions): Promise<ReportedError> {
  process.stderr.write(renderError(error, await recorder.contextOf(error, options.debug === true)));
  return new ReportedError(error);
}
