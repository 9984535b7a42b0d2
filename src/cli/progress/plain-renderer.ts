import type { BuildEvent } from "../../base/build-event.ts";
import { formatSeconds } from "../format-time.ts";
import { toPlainText } from "./plain-text.ts";
import type { ProgressRenderer, Write } from "./progress-renderer.ts";

/** Lines that make sense in a log file: each begins with the number of its step. */
export function createPlainRenderer(write: Write): ProgressRenderer {
  const names = new Map<string, string>();
  const numbers = new Map<string, number>();
  const startedAtMs = new Map<string, number>();
  let lastShown = "";

  const numberOf = (vertex: string): number => {
    const known = numbers.get(vertex);
    if (known !== undefined) return known;
    numbers.set(vertex, numbers.size + 1);
    return numbers.size;
  };
  const line = (vertex: string, text: string): void => {
    const number = numberOf(vertex);
    if (lastShown !== vertex) {
      write(`${lastShown === "" ? "" : "\n"}#${number} ${names.get(vertex) ?? vertex}\n`);
      lastShown = vertex;
    }
    if (text !== "") write(`#${number} ${text}\n`);
  };
  const elapsed = (event: { vertex: string; atMs: number }): number =>
    event.atMs - (startedAtMs.get(event.vertex) ?? event.atMs);

  return {
    emit(event: BuildEvent): void {
      switch (event.kind) {
        case "plan":
          for (const vertex of event.vertices) names.set(vertex.id, vertex.name);
          break;
        case "started":
          startedAtMs.set(event.vertex, event.atMs);
          line(event.vertex, "");
          break;
        case "cached":
          line(event.vertex, "CACHED");
          break;
        case "completed":
          line(event.vertex, `DONE ${formatSeconds(elapsed(event))}`);
          break;
        case "failed":
          line(event.vertex, `ERROR: ${toPlainText(event.error.message)}`);
          break;
        case "cancelled":
          line(event.vertex, "CANCELED");
          break;
        case "log":
          line(event.vertex, `${(elapsed(event) / 1000).toFixed(3)} ${toPlainText(event.line)}`);
          break;
        case "transfer":
          if (event.totalBytes !== null && event.doneBytes >= event.totalBytes)
            line(event.vertex, `${event.label} done`);
          break;
        case "dockerfile":
        case "warning":
        case "output":
        case "error":
          break;
      }
    },
    close() {},
  };
}
