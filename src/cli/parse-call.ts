import { BuildError } from "../base/errors.ts";
import { didYouMean } from "../dockerfile/suggest-name.ts";

/** A question about a build, asked instead of building. */
export interface Call {
  readonly method: "check" | "outline" | "targets";
  readonly format: "text" | "json";
  /** Findings do not make the exit code 1. */
  readonly ignoresStatus: boolean;
}

const methods: ReadonlyMap<string, Call["method"]> = new Map([
  ["check", "check"],
  ["lint", "check"],
  ["outline", "outline"],
  ["targets", "targets"],
]);

/** `--call=METHOD[,format=json][,ignorestatus=true]` and its short form `--check`; null means to build. Throws USAGE_INVALID. */
export function parseCall(call: string | undefined, check: boolean): Call | null {
  if (check) {
    if (call !== undefined && parseCall(call, false)?.method !== "check") throw invalid(call, "--check says otherwise");
    return call === undefined ? { method: "check", format: "text", ignoresStatus: false } : parseCall(call, false);
  }
  if (call === undefined || call === "build") return null;
  const [name = "", ...fields] = call.split(",");
  const method = methods.get(name);
  if (method === undefined)
    throw invalid(
      call,
      `method ${JSON.stringify(name)} is not known`,
      didYouMean(name, methods.keys()) ?? "methods: build, check, outline, targets",
    );
  let parsed: Call = { method, format: "text", ignoresStatus: false };
  for (const field of fields) parsed = { ...parsed, ...parseField(call, field) };
  return parsed;
}

function parseField(call: string, field: string): Partial<Call> {
  switch (field) {
    case "format=json":
      return { format: "json" };
    case "format=text":
    case "format=":
      return { format: "text" };
    case "ignorestatus=true":
    case "ignorestatus=1":
      return { ignoresStatus: true };
    case "ignorestatus=false":
    case "ignorestatus=0":
      return { ignoresStatus: false };
  }
  throw invalid(call, `got ${JSON.stringify(field)}`, "after the method: format=json, ignorestatus=true");
}

const invalid = (value: string, problem: string, hint?: string): BuildError =>
  new BuildError("USAGE_INVALID", `--call ${JSON.stringify(value)}: ${problem}`, { hint });
