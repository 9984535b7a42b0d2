import { constants } from "node:os";
import type { ErrorCode } from "../base/error-codes.ts";
import { BuildError } from "../base/errors.ts";
import { decodeName } from "../base/file-name.ts";

export const errnoNumbers: Readonly<Record<string, number>> = constants.errno;

const errnoNames: ReadonlyMap<number, string> = new Map(
  Object.entries(errnoNumbers)
    .filter(([name]) => name !== "EWOULDBLOCK" && name !== "EOPNOTSUPP")
    .map(([name, number]) => [number, name]),
);

/** `ENOENT` for 2, as this platform numbers them; `errno 4711` for unknown ones. */
export const errnoName = (errno: number): string => errnoNames.get(errno) ?? `errno ${errno}`;

const meanings: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EPERM: "operation not permitted",
  ENOENT: "no such file or directory",
  ENOTDIR: "not a directory",
  EISDIR: "is a directory",
  EEXIST: "file exists",
  ENOSPC: "no space left on device",
  EDQUOT: "disk quota exceeded",
  EROFS: "read-only file system",
  ELOOP: "too many levels of symbolic links",
  ENAMETOOLONG: "file name too long",
  EINVAL: "invalid argument",
  ENOSYS: "not supported by this kernel",
  EOPNOTSUPP: "operation not supported",
  ENODEV: "no such file system or device",
  EBUSY: "device or resource busy",
  EMFILE: "too many open files",
  ENFILE: "too many open files on this machine",
  ENOMEM: "out of memory",
  EIO: "input/output error",
  EXDEV: "not on the same file system",
};

const codeFor = (name: string): ErrorCode =>
  name === "ENOSPC" || name === "EDQUOT"
    ? "STORE_NO_SPACE"
    : name === "EACCES" || name === "EROFS"
      ? "STORE_UNWRITABLE"
      : "SYSTEM_CALL_FAILED";

const hintFor = (code: ErrorCode): string | undefined =>
  code === "STORE_NO_SPACE" ? "free some space, or run tsbuild prune" : undefined;

function describe(call: string, path: string | null, name: string): BuildError {
  const code = codeFor(name);
  const about = path === null ? "" : ` ${JSON.stringify(path)}`;
  return new BuildError(code, `${call}${about}: ${meanings[name] ?? name} (${name})`, {
    hint: hintFor(code),
    details: { call, path, errno: name },
  });
}

/** The error of a failed system call: STORE_NO_SPACE, STORE_UNWRITABLE or SYSTEM_CALL_FAILED; details.errno has the name. */
export function systemError(call: string, path: Uint8Array | string | null, errno: number): BuildError {
  return describe(call, path instanceof Uint8Array ? decodeName(path) : path, errnoName(errno));
}

/** An error of node:fs as BuildError, in the same way; anything else is returned as it is. */
export function fromNodeError(error: unknown): unknown {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") return error;
  if (!(error.code in errnoNumbers)) return error;
  const call = "syscall" in error && typeof error.syscall === "string" ? error.syscall : "system call";
  const path = "path" in error && typeof error.path === "string" ? error.path : null;
  const translated = describe(call, path, error.code);
  translated.cause = error;
  return translated;
}

/** Whether `error` stands for the errno `name`: one of node:fs, or one made here. */
export function hasErrno(error: unknown, ...names: readonly string[]): boolean {
  if (!(error instanceof Error)) return false;
  const name = error instanceof BuildError ? error.details.errno : "code" in error ? error.code : undefined;
  return typeof name === "string" && names.includes(name);
}
