import { closeSync } from "node:fs";
import { Socket } from "node:net";
import type { Duplex, Readable } from "node:stream";
import { ReadStream } from "node:tty";
import { makeSocketPair, receiveWithDescriptors } from "../../sys/descriptor-passing.ts";
import { makePipe } from "../../sys/process.ts";
import { setTerminalSize } from "../../sys/terminal.ts";
import type { ProcessIo, TerminalSize } from "../runtime.ts";

/** The standard input of a step, as seen from outside. */
export interface StepInput {
  /** What the step gets of it, to be closed by whoever passes it on; null for nothing. */
  readonly descriptor: number | null;
  /** The step's program is about to run. */
  begin(): void;
  resize(size: TerminalSize): void;
  /** Everything that the step wrote to its terminal has come. */
  readonly end: Promise<void>;
  close(): void;
}

/** The standard input that `io` asks for. */
export function openStepInput(io: ProcessIo): StepInput {
  if (io.terminal !== undefined) return openTerminalInput(io);
  return io.input === undefined ? nothing : openPipedInput(io.input);
}

const nothing: StepInput = {
  descriptor: null,
  begin() {},
  resize() {},
  end: Promise.resolve(),
  close() {},
};

/** Sends what is read from `input` to `target`, and calls `end` when there is no more; the returned function ends that. */
function connect(input: Readable, target: Duplex, end: () => void): () => void {
  input.on("end", end);
  input.on("error", end);
  input.pipe(target, { end: false });
  return () => {
    input.unpipe(target);
    input.off("end", end);
    input.off("error", end);
    input.pause();
  };
}

/** A pipe: the step must not get the caller's own input, through which it could reach a file or directory of the host. */
function openPipedInput(input: Readable): StepInput {
  const { readEnd, writeEnd } = makePipe();
  const target = new Socket({ fd: writeEnd, readable: false, writable: true });
  let disconnect = (): void => {};
  // the step need not read all of it
  target.on("error", () => target.destroy());
  return {
    ...nothing,
    descriptor: readEnd,
    begin() {
      disconnect = connect(input, target, () => void target.end());
    },
    close() {
      disconnect();
      target.destroy();
    },
  };
}

/** A terminal that the step makes in its own /dev; it sends its other side. */
function openTerminalInput({ input, output }: ProcessIo): StepInput {
  const [own, theirs] = makeSocketPair();
  let terminal: ReadStream | null = null;
  let master = -1;
  let disconnect = (): void => {};
  let tellEnd = (): void => {};
  const end = new Promise<void>((resolve) => {
    tellEnd = resolve;
  });
  return {
    descriptor: theirs,
    end,
    begin() {
      [master = -1] = receiveWithDescriptors(own, 1)?.descriptors ?? [];
      const opened = new ReadStream(master);
      terminal = opened;
      opened.on("data", (chunk: Uint8Array) => output("stdout", chunk));
      // EIO: the last program that had it open has ended
      opened.on("error", () => opened.destroy());
      opened.once("close", tellEnd);
      // the input of a terminal ends when the caller's own is gone: the programs are told so
      if (input !== undefined) disconnect = connect(input, opened, () => void opened.destroy());
    },
    resize({ columns, rows }) {
      if (terminal?.destroyed === false) setTerminalSize(master, columns, rows);
    },
    close() {
      disconnect();
      closeSync(own);
      if (terminal === null) tellEnd();
      else terminal.destroy();
    },
  };
}
