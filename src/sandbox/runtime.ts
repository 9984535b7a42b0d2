import type { Readable } from "node:stream";
import type { SandboxSpec } from "./sandbox-spec.ts";

/** Something the machine lacks, and what to do about it. */
export interface Unavailable {
  readonly what: string;
  readonly hint: string;
}

/** How a process ended. A non-zero exit is a result, not an error. */
export interface ExitStatus {
  readonly exitCode: number | null;
  readonly signal: string | null;
}

/** Size of a terminal, in characters. */
export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/** A process while it runs; once it has ended nothing has an effect. */
export interface RunningProcess {
  /** Its number, as the host sees it. */
  readonly pid: number;
  /** What was made in the upper directory only to mount something on it; it is removed when the process has ended. */
  readonly mountPoints: readonly { readonly path: string; readonly type: "file" | "directory" }[];
  /** Sends it a signal; as process 1 it only gets those it handles, but for SIGKILL and SIGSTOP. */
  kill(signal: NodeJS.Signals): void;
  /** Gives its terminal another size. */
  resize(size: TerminalSize): void;
}

export interface ProcessIo {
  /** Raw output as it comes; chunks need not end at line ends. With a terminal all of it is "stdout". */
  output(stream: "stdout" | "stderr", chunk: Uint8Array): void;
  /** Its standard input; left out it is empty. */
  readonly input?: Readable;
  /** Makes its standard streams a terminal of this size. */
  readonly terminal?: TerminalSize;
  /** The program is about to run. */
  started?(process: RunningProcess): void;
}

/** Runs one process in a fresh sandbox; nothing of it is left when the promise settles. */
export interface Runtime {
  /** What is missing on this machine; empty when `run` can work. */
  probe(): Promise<readonly Unavailable[]>;
  /** Told that a step will come: whatever takes long may begin. Never throws; what is wrong is told by `run`. */
  prepare?(): void;
  /**
   * Rejects with RUNTIME_* when the sandbox could not be made, RUN_USER_NOT_FOUND or RUN_FAILED (command not found)
   * when the image does not have what the spec names, BUILD_CANCELLED after an abort, when everything has been killed.
   */
  run(spec: SandboxSpec, io: ProcessIo, signal: AbortSignal): Promise<ExitStatus>;
}
