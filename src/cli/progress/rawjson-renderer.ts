import type { ProgressRenderer, Write } from "./progress-renderer.ts";

/** One event a line, as JSON. */
export const createRawJsonRenderer = (write: Write): ProgressRenderer => ({
  emit: (event) => write(`${JSON.stringify(event)}\n`),
  close() {},
});
