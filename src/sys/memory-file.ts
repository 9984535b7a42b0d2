import { cString, lastErrno, libcFunction } from "./native.ts";
import { systemError } from "./system-error.ts";

const cMemfdCreate = libcFunction("int memfd_create(const void *name, unsigned int flags)");
const MFD_CLOEXEC = 1;

/** An empty file that lies in memory only and goes with its last descriptor; no program inherits it. */
export function makeMemoryFile(name: string): number {
  const fd = cMemfdCreate(cString(name), MFD_CLOEXEC);
  if (fd < 0) throw systemError("memfd_create", name, lastErrno());
  return fd;
}
