import { closeSync, constants, openSync } from "node:fs";
import { lastErrno, libcFunction } from "./native.ts";
import { systemError } from "./system-error.ts";

const cIoctl = libcFunction("int ioctl(int fd, unsigned long request, void *argument)");
const cSetsid = libcFunction("int setsid()");

const TCGETS = 0x5401;
const TCSETS = 0x5402;
const TIOCSCTTY = 0x540e;
const TIOCSWINSZ = 0x5414;
const TIOCSPTLCK = 0x40045431;
const TIOCGPTN = 0x80045430;

const O_CLOEXEC = 0x80000;
const openFlags = constants.O_RDWR | constants.O_NOCTTY | O_CLOEXEC;

function ioctl(fd: number, name: string, request: number, argument: Buffer | number): void {
  if (cIoctl(fd, request, argument) < 0) throw systemError(`ioctl ${name}`, null, lastErrno());
}

/** A new terminal: what is written to one side is read from the other. */
export interface TerminalPair {
  /** The side of whoever shows the terminal. */
  readonly master: number;
  /** The side of the programs that run in it, and its path. */
  readonly slave: number;
  readonly slavePath: string;
}

/** Makes a terminal in the devpts file system mounted on `directory` (pty(7)). No program inherits the descriptors. */
export function openTerminal(directory: string): TerminalPair {
  const master = openSync(`${directory}/ptmx`, openFlags);
  try {
    ioctl(master, "TIOCSPTLCK", TIOCSPTLCK, Buffer.alloc(4));
    const number = Buffer.alloc(4);
    ioctl(master, "TIOCGPTN", TIOCGPTN, number);
    const slavePath = `${directory}/${number.readUInt32LE(0)}`;
    return { master, slave: openSync(slavePath, openFlags), slavePath };
  } catch (error) {
    closeSync(master);
    throw error;
  }
}

/** Gives a terminal, by either of its sides, a size in characters; the programs in it get SIGWINCH when it changes. */
export function setTerminalSize(fd: number, columns: number, rows: number): void {
  const size = Buffer.alloc(8); // struct winsize: rows, columns, and both in pixels
  size.writeUInt16LE(Math.min(rows, 0xffff), 0);
  size.writeUInt16LE(Math.min(columns, 0xffff), 2);
  ioctl(fd, "TIOCSWINSZ", TIOCSWINSZ, size);
}

/** Makes the calling process the leader of a new session, whose terminal is `slave`. */
export function leadSession(slave: number): void {
  if (cSetsid() < 0) throw systemError("setsid", null, lastErrno());
  ioctl(slave, "TIOCSCTTY", TIOCSCTTY, 0);
}

/** Room for `struct termios`, with flags for input, output, control and more as its first members. */
const termiosLength = 64;
const OPOST = 1;

/** Makes a terminal show what is written to it byte for byte: no newline gets a carriage return. */
export function keepOutput(terminal: number): void {
  const modes = Buffer.alloc(termiosLength);
  ioctl(terminal, "TCGETS", TCGETS, modes);
  modes.writeUInt32LE((modes.readUInt32LE(4) & ~OPOST) >>> 0, 4);
  ioctl(terminal, "TCSETS", TCSETS, modes);
}
