import type { ProgressRenderer } from "./progress-renderer.ts";

/** Shows nothing. */
export const quietRenderer: ProgressRenderer = { emit() {}, close() {} };
