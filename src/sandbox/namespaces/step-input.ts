import { closeSync, readSync } from "node:fs";
import { Socket } from "node:net";
import type { Duplex, Readable } from "node:stream";
import { ReadStream } from "node:tty";
import { makeSocketPair, receiveWithDescriptors } from "../../sys/descriptor-passing.ts";
import { makePipe } from "../../sys/process.ts";
import { hasErrno } from "../../sys/system-error.ts";
import { setTerminalSize } from "../../sys/terminal.ts";
import type { ProcessIo, TerminalSize } from "../runtime.ts";

/** The standard input of a step, as seen from outside. */
export interface StepInput {
  /** What the step gets of it, to be closed by whoever passes it on; null for nothing. */
  readonly descriptor: number | null;
  /** The step's program is about to run. */
  begin(): void;
  resize(size: TerminalSize): void;
  /** Nothing is left of the step: takes what it wrote last. */
  finish(): void;
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
  finish() {},
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

/** What is open of a terminal. */
interface OpenTerminal {
  readonly master: number;
  /** Held open, because node takes a terminal that nobody has open any more for one that has nothing left to read. */
  readonly slave: number;
  readonly stream: ReadStream;
}

/** A terminal that the step makes in its own /dev; it sends both sides. */
function openTerminalInput({ input, output }: ProcessIo): StepInput {
  const [own, theirs] = makeSocketPair();
  let terminal: OpenTerminal | null = null;
  let disconnect = (): void => {};
  const take = (chunk: Uint8Array): void => output("stdout", chunk);
  return {
    descriptor: theirs,
    begin() {
      const [master = -1, slave = -1] = receiveWithDescriptors(own, 1)?.descriptors ?? [];
      const stream = new ReadStream(master);
      terminal = { master, slave, stream };
      stream.on("data", take);
      stream.on("error", () => stream.destroy());
      // the input of a terminal ends when the caller's own is gone: the programs are told so
      if (input !== undefined) disconnect = connect(input, stream, () => void stream.destroy());
    },
    resize({ columns, rows }) {
      if (terminal?.stream.destroyed === false) setTerminalSize(terminal.master, columns, rows);
    },
    finish() {
      if (terminal === null) return;
      closeSync(terminal.slave);
      if (terminal.stream.destroyed) return;
      terminal.stream.pause();
      readToEnd(terminal.master, take);
    },
    close() {
      disconnect();
      closeSync(own);
      terminal?.stream.destroy();
    },
  };
}

/** Reads what is left in a terminal that no program has open any more. */
function readToEnd(master: number, take: (chunk: Uint8Array) => void): void {
  const buffer = Buffer.alloc(1 << 16);
  try {
    for (let count = readSync(master, buffer); count > 0; count = readSync(master, buffer))
      take(Buffer.from(buffer.subarray(0, count)));
  } catch (error) {
    // how a terminal tells that this was all
    if (!hasErrno(error, "EIO", "EAGAIN")) throw error;
  }
}
