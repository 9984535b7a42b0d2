import { cString, lastErrno, libcFunction } from "./native.ts";
import { errnoNumbers, systemError } from "./system-error.ts";

const lgetxattr = libcFunction("long lgetxattr(const void *path, const void *name, void *value, size_t size)");
const llistxattr = libcFunction("long llistxattr(const void *path, void *list, size_t size)");
const lsetxattr = libcFunction(
  "int lsetxattr(const void *path, const void *name, const void *value, size_t size, int flags)",
);
const lremovexattr = libcFunction("int lremovexattr(const void *path, const void *name)");

const { ENODATA = -1, EOPNOTSUPP = -1, ENOTSUP = EOPNOTSUPP, ERANGE = -1, E2BIG = -1 } = errnoNumbers;
const hasXattrs = process.platform === "linux";

/** Calls `read` with growing buffers until the answer fits; null when there is no answer to have. */
function readGrowing(call: string, path: Buffer, read: (into: Buffer) => number): Buffer | null {
  for (let size = 1024; ; size *= 8) {
    const into = Buffer.allocUnsafe(size);
    const length = read(into);
    if (length >= 0) return into.subarray(0, length);
    const errno = lastErrno();
    if (errno === ENODATA || errno === EOPNOTSUPP || errno === ENOTSUP) return null;
    if ((errno !== ERANGE && errno !== E2BIG) || size > 1 << 20) throw systemError(call, path, errno);
  }
}

/** Value of an extended attribute of `path` itself (links are not followed); null when it has none. */
export function getXattr(path: Buffer, name: string): Buffer | null {
  if (!hasXattrs) return null;
  const cPath = cString(path);
  const cName = cString(name);
  return readGrowing("lgetxattr", path, (into) => lgetxattr(cPath, cName, into, into.length));
}

/** Names of all extended attributes of `path` itself that this process may see. */
export function listXattrs(path: Buffer): readonly string[] {
  if (!hasXattrs) return [];
  const cPath = cString(path);
  const list = readGrowing("llistxattr", path, (into) => llistxattr(cPath, into, into.length));
  if (list === null || list.length === 0) return [];
  return list.toString("utf8", 0, list.length - 1).split("\0");
}

/** Sets an extended attribute of `path` itself. */
export function setXattr(path: Buffer, name: string, value: Uint8Array): void {
  if (lsetxattr(cString(path), cString(name), value, value.length, 0) < 0) {
    throw systemError("lsetxattr", path, lastErrno());
  }
}

/** Removes an extended attribute of `path` itself; one that is not there is fine. */
export function removeXattr(path: Buffer, name: string): void {
  if (lremovexattr(cString(path), cString(name)) >= 0) return;
  const errno = lastErrno();
  if (errno !== ENODATA) throw systemError("lremovexattr", path, errno);
}
