import type { BuildEvent } from "../../base/build-event.ts";
import { kindOf, type WireError } from "../../base/errors.ts";
import type { ProgressRenderer, Write } from "./progress-renderer.ts";

/** One event a line, as JSON. Errors come without a stack trace unless they are bugs. */
export const createRawJsonRenderer = (write: Write): ProgressRenderer => ({
  emit: (event) => write(`${JSON.stringify(withoutTrace(event))}\n`),
  close() {},
});

const withoutTrace = (event: BuildEvent): BuildEvent =>
  event.kind === "failed" || event.kind === "error" ? { ...event, error: readable(event.error) } : event;

const readable = (error: WireError): WireError =>
  kindOf(error.code) === "internal" ? error : { ...error, stack: null, cause: null };
