import { constants } from "node:os";
import { BuildError, isBuildError } from "../base/errors.ts";
import type { ProcessIo, RunningProcess, TerminalSize } from "../sandbox/runtime.ts";
import { keepOutput } from "../sys/terminal.ts";

/** What of the caller's streams a container gets besides the output. */
export interface AttachedStreams {
  readonly hasInput: boolean;
  readonly hasTerminal: boolean;
}

/** Signals that are the container's; the others end, stop or wake this process. */
const forwarded = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGTSTP", "SIGCONT", "SIGUSR1", "SIGUSR2"] as const;
/** So many requests to end make this process end the container itself, as docker has it. */
const patience = 3;
const usualSize: TerminalSize = { columns: 80, rows: 24 };

/** Throws USAGE_INVALID when a container shall read from a terminal and there is none. */
export function requireTerminal({ hasInput, hasTerminal }: AttachedStreams): void {
  if (!hasInput || !hasTerminal || process.stdin.isTTY) return;
  throw new BuildError("USAGE_INVALID", "standard input is no terminal", {
    hint: "leave -t out: -i alone passes standard input on",
  });
}

/**
 * Runs a container with this process's streams, and passes signals on to it. With input and terminal, this process's own
 * terminal is raw until the container has ended, whatever happens. Returns what `run` returns; 128 and the number of a
 * signal for a container that was ended because it did not end by itself, or because nobody reads its output any more.
 */
export async function attachContainer(
  { hasInput, hasTerminal }: AttachedStreams,
  run: (io: ProcessIo, signal: AbortSignal) => Promise<number>,
): Promise<number> {
  const { stdin, stdout, stderr } = process;
  const abort = new AbortController();
  let endedBy: "SIGKILL" | "SIGPIPE" | null = null;
  let running: RunningProcess | null = null;
  let requests = 0;
  const early: NodeJS.Signals[] = [];
  const isRaw = hasInput && hasTerminal && stdin.isTTY;
  const makeRaw = (): void => {
    // node puts it back, also when it ends in some other way; the container's terminal has done what this one would do
    stdin.setRawMode(false);
    stdin.setRawMode(true);
    keepOutput(stdin.fd);
  };
  const end = (signal: "SIGKILL" | "SIGPIPE"): void => {
    endedBy ??= signal;
    abort.abort();
  };
  const pass = (signal: NodeJS.Signals): void => {
    if (signal === "SIGINT" || signal === "SIGTERM") requests += 1;
    // a shell that stopped this process has made the terminal its own
    if (signal === "SIGCONT" && isRaw) makeRaw();
    if (requests >= patience) end("SIGKILL");
    else if (running === null) early.push(signal);
    else running.kill(signal);
  };
  const brokenPipe = (error: NodeJS.ErrnoException): void => {
    if (error.code === "EPIPE") end("SIGPIPE");
  };
  const sizeOf = (): TerminalSize =>
    stdout.isTTY ? { columns: stdout.columns || usualSize.columns, rows: stdout.rows || usualSize.rows } : usualSize;
  const resize = (): void => running?.resize(sizeOf());
  const io: ProcessIo = {
    output: (stream, chunk) => void (stream === "stdout" ? stdout : stderr).write(chunk),
    ...(hasInput ? { input: stdin } : {}),
    ...(hasTerminal ? { terminal: sizeOf() } : {}),
    started(process) {
      running = process;
      // it may have changed since
      if (hasTerminal) process.resize(sizeOf());
      for (const signal of early) process.kill(signal);
    },
  };
  for (const signal of forwarded) process.on(signal, pass);
  stdout.on("error", brokenPipe);
  stdout.on("resize", resize);
  try {
    if (isRaw) makeRaw();
    return await run(io, abort.signal);
  } catch (error) {
    if (endedBy === null || !isBuildError(error, "BUILD_CANCELLED")) throw error;
    return 128 + constants.signals[endedBy];
  } finally {
    if (isRaw) stdin.setRawMode(false);
    if (hasInput) stdin.destroy();
    stdout.off("resize", resize);
    stdout.off("error", brokenPipe);
    for (const signal of forwarded) process.off(signal, pass);
  }
}
