import type { BuildEvent } from "../../base/build-event.ts";
import { formatSize } from "../format-size.ts";
import { formatSeconds } from "../format-time.ts";
import { toPlainText } from "./plain-text.ts";
import type { ProgressRenderer, Write } from "./progress-renderer.ts";

const framesPerSecond = 10;
const logLinesPerStep = 4;
const spinner = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"] as const;

interface RunningStep {
  readonly startedAtMs: number;
  readonly lines: string[];
  transfer: string;
}

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/**
 * A live view: what is finished scrolls up as one line a step, what runs is redrawn below with a spinner, its time and
 * its last lines of output.
 */
export function createTtyRenderer(
  write: Write,
  size: () => TerminalSize,
  now: () => number = Date.now,
): ProgressRenderer {
  const names = new Map<string, string>();
  const running = new Map<string, RunningStep>();
  const begunAtMs = now();
  let finished = 0;
  let liveRows = 0;
  let frame = 0;
  let pending = "";

  const clipped = (text: string, room: number): string => {
    const chars = [...text];
    return chars.length <= room ? text : `${chars.slice(0, Math.max(0, room - 1)).join("")}…`;
  };
  const stepLine = (mark: string, name: string, time: string): string => {
    const room = size().columns - mark.length - time.length - 3;
    return `${mark} ${clipped(name, room).padEnd(room)} ${time}`;
  };
  const liveLines = (): string[] => {
    if (running.size === 0) return [];
    const { columns, rows } = size();
    const lines = [`[+] Building ${formatSeconds(now() - begunAtMs)} (${finished}/${names.size})`];
    for (const [vertex, step] of running) {
      const name = `${names.get(vertex) ?? vertex}${step.transfer === "" ? "" : ` ${step.transfer}`}`;
      lines.push(stepLine(` ${spinner[frame % spinner.length]}`, name, formatSeconds(now() - step.startedAtMs)));
      for (const line of step.lines) lines.push(`   │ ${clipped(line.replaceAll("\t", "  "), columns - 6)}`);
    }
    return lines.slice(0, Math.max(1, rows - 2));
  };
  const draw = (): void => {
    const lines = liveLines();
    const erase = liveRows === 0 ? "" : `\x1b[${liveRows}A\x1b[J`;
    write(erase + pending + lines.map((line) => `${line}\n`).join(""));
    pending = "";
    liveRows = lines.length;
  };
  const finish = (vertex: string, mark: string, atMs: number): void => {
    const startedAtMs = running.get(vertex)?.startedAtMs ?? atMs;
    running.delete(vertex);
    finished += 1;
    pending += `${stepLine(" =>", `${mark}${names.get(vertex) ?? vertex}`, formatSeconds(atMs - startedAtMs))}\n`;
  };

  const timer = setInterval(() => {
    frame += 1;
    if (running.size > 0 || pending !== "") draw();
  }, 1000 / framesPerSecond);
  timer.unref();

  return {
    emit(event: BuildEvent): void {
      switch (event.kind) {
        case "plan":
          for (const vertex of event.vertices) names.set(vertex.id, vertex.name);
          break;
        case "started":
          running.set(event.vertex, { startedAtMs: event.atMs, lines: [], transfer: "" });
          break;
        case "cached":
          finish(event.vertex, "CACHED ", event.atMs);
          break;
        case "completed":
          finish(event.vertex, "", event.atMs);
          break;
        case "failed":
          finish(event.vertex, "ERROR ", event.atMs);
          break;
        case "cancelled":
          finish(event.vertex, "CANCELED ", event.atMs);
          break;
        case "log": {
          const lines = running.get(event.vertex)?.lines;
          lines?.push(toPlainText(event.line));
          if (lines !== undefined && lines.length > logLinesPerStep) lines.shift();
          break;
        }
        case "transfer": {
          const step = running.get(event.vertex);
          const total = event.totalBytes === null ? "" : ` / ${formatSize(event.totalBytes)}`;
          if (step !== undefined) step.transfer = `${event.label} ${formatSize(event.doneBytes)}${total}`;
          break;
        }
        case "dockerfile":
        case "warning":
        case "output":
        case "error":
          break;
      }
    },
    close(): void {
      clearInterval(timer);
      running.clear();
      draw();
    },
  };
}
