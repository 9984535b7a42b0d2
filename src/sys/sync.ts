import { lastErrno, libcFunction } from "./native.ts";
import { systemError } from "./system-error.ts";

const syncfs = libcFunction("int syncfs(int fd)");
const sync = libcFunction("void sync()");

/** Writes everything of the file system that the open file `fd` is on to disk; blocks until that is done. */
export function syncFileSystem(fd: number): void {
  if (process.platform !== "linux") sync();
  else if (syncfs(fd) < 0) throw systemError("syncfs", null, lastErrno());
}
