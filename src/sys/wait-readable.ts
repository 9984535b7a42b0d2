import { lastErrno, libcFunction } from "./native.ts";
import { errnoNumbers, systemError } from "./system-error.ts";

const cPoll = libcFunction("int poll(void *fds, unsigned long count, int timeout)");
const POLLIN = 1;

const pollFds = (fds: readonly number[], timeoutMs: number): readonly number[] => {
  const list = Buffer.alloc(8 * fds.length); // struct pollfd: descriptor, wanted events, events that happened
  fds.forEach((fd, index) => {
    list.writeInt32LE(fd, 8 * index);
    list.writeInt16LE(POLLIN, 8 * index + 4);
  });
  while (cPoll(list, fds.length, timeoutMs) < 0) {
    if (lastErrno() !== errnoNumbers.EINTR) throw systemError("poll", null, lastErrno());
  }
  return fds.filter((_, index) => list.readInt16LE(8 * index + 6) !== 0);
};

/** Blocks until at least one of `fds` can be read from or has come to its end; returns those, in the given order. */
export const waitReadable = (fds: readonly number[]): readonly number[] => pollFds(fds, -1);

/** Whether one of `fds` can be read from now, or has come to its end. */
export const isReadable = (fds: readonly number[]): boolean => pollFds(fds, 0).length > 0;
