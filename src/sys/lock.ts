import { lastErrno, libcFunction } from "./native.ts";
import { errnoNumbers, systemError } from "./system-error.ts";

const flock = libcFunction("int flock(int fd, int operation)");
const LOCK_SH = 1;
const LOCK_EX = 2;
const LOCK_NB = 4;
const LOCK_UN = 8;

export type LockMode = "shared" | "exclusive";

const operationOf = (mode: LockMode): number => (mode === "shared" ? LOCK_SH : LOCK_EX);

/**
 * Takes a lock on an open file (flock(2)); false when somebody else holds one that excludes it. A lock belongs to the
 * open file: taking it again changes its mode, closing the descriptor or the end of the process releases it.
 */
export function tryLock(fd: number, mode: LockMode): boolean {
  for (;;) {
    if (flock(fd, operationOf(mode) | LOCK_NB) >= 0) return true;
    const errno = lastErrno();
    if (errno === errnoNumbers.EAGAIN || errno === errnoNumbers.EWOULDBLOCK) return false;
    if (errno !== errnoNumbers.EINTR) throw systemError("flock", null, errno);
  }
}

/** As `tryLock`, but waits, blocking the calling thread. */
export function lock(fd: number, mode: LockMode): void {
  while (flock(fd, operationOf(mode)) < 0) {
    const errno = lastErrno();
    if (errno !== errnoNumbers.EINTR) throw systemError("flock", null, errno);
  }
}

/** Releases a lock and keeps the file open. */
export function unlock(fd: number): void {
  if (flock(fd, LOCK_UN) < 0) throw systemError("flock", null, lastErrno());
}
