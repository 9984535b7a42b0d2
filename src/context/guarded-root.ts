import { closeSync, constants, existsSync, openSync, readlinkSync, realpathSync } from "node:fs";
import { BuildError } from "../base/errors.ts";
import { decodeName, encodeName } from "../base/file-name.ts";
import { hasErrno } from "../sys/system-error.ts";

const commonFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/**
 * Opens what lies below a directory of this machine and nothing else: no symlink is followed on the way, not even one
 * that takes the place of a folder while we look. A directory that was opened is asked for its real path, which the
 * kernel knows; a file is known by its inode.
 */
export class GuardedRoot {
  readonly #realRoot: Buffer;
  /** The real root and a slash at its end, as far as that is a string. */
  readonly #plainRoot: string | null;
  /** The directory of this process' file descriptors; null without /proc. */
  readonly #descriptors: string | null;

  /** Throws CONTEXT_NOT_FOUND when `root` is not a directory that can be opened. */
  constructor(root: string) {
    try {
      this.#realRoot = realpathSync.native(encodeName(root), "buffer") as unknown as Buffer;
      closeSync(openSync(this.#realRoot, commonFlags | constants.O_DIRECTORY));
    } catch (cause) {
      const problem = hasErrno(cause, "ENOTDIR") ? "is not a directory" : reasonOf(cause);
      throw new BuildError("CONTEXT_NOT_FOUND", `build context ${JSON.stringify(root)}: ${problem}`, { cause });
    }
    const name = decodeName(this.#realRoot);
    this.#plainRoot = isPlain(name) ? name.replace(/\/?$/, "/") : null;
    // The link is followed once, and not for every file that is looked at.
    this.#descriptors = existsSync("/proc/self/fd") ? `/proc/${readlinkSync("/proc/self")}/fd` : null;
  }

  /** Bytes of the real path of `path`, which is relative to the root; "" is the root. */
  realPath(path: string): Buffer {
    return path === "" ? this.#realRoot : Buffer.concat([this.#realRoot, slashByte(this.#realRoot), encodeName(path)]);
  }

  /** A file descriptor of the directory; null when there is no directory at exactly this place. */
  openDirectory(path: string): number | null {
    if (this.#plainRoot !== null && this.#descriptors !== null && path !== "" && isPlain(path))
      return this.#openPlainDirectory(path, this.#plainRoot + path, this.#descriptors);
    const expected = this.realPath(path);
    const fd = this.#openAsNamed(path, expected, commonFlags | constants.O_DIRECTORY);
    if (fd === null) return null;
    try {
      if (this.#realPathOf(fd, expected).equals(expected)) return fd;
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    closeSync(fd);
    return null;
  }

  /** As `openDirectory`, where all names are strings: in a large tree, buffers would take as long as the system calls. */
  #openPlainDirectory(path: string, expected: string, descriptors: string): number | null {
    const fd = this.#openAsNamed(path, expected, commonFlags | constants.O_DIRECTORY);
    if (fd === null) return null;
    try {
      if (readlinkSync(`${descriptors}/${fd}`) === expected) return fd;
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    closeSync(fd);
    return null;
  }

  /**
   * A file descriptor of what is at `path`; null when there is nothing. Never waits for a fifo. The caller must make sure
   * by device and inode that it is the file it saw in a directory: the way to it is not looked at, which saves a system
   * call for each file.
   */
  openListedFile(path: string): number | null {
    return this.#openAsNamed(path, this.realPath(path), commonFlags);
  }

  /** A path that names what `fd` is, the directory of real path `path`, even when that is renamed meanwhile. */
  pathOf(fd: number, path: string): string | Buffer {
    return this.#descriptors !== null ? `${this.#descriptors}/${fd}` : this.realPath(path);
  }

  #openAsNamed(path: string, real: string | Buffer, flags: number): number | null {
    try {
      return openSync(real, flags);
    } catch (error) {
      if (hasErrno(error, "ENOENT", "ENOTDIR", "ELOOP", "ENXIO")) return null;
      throw new BuildError("CONTEXT_INVALID", `build context: ${JSON.stringify(path)}: ${reasonOf(error)}`, {
        cause: error,
        hint: hasErrno(error, "EACCES", "EPERM") ? "make it readable, or name it in .dockerignore" : undefined,
      });
    }
  }

  #realPathOf(fd: number, path: Buffer): Buffer {
    if (this.#descriptors !== null) return readlinkSync(`${this.#descriptors}/${fd}`, "buffer") as unknown as Buffer;
    try {
      return realpathSync.native(path, "buffer") as unknown as Buffer;
    } catch {
      return Buffer.alloc(0);
    }
  }
}

/** Whether node makes exactly the bytes of this name out of it, and would make it out of no others. */
const isPlain = (name: string): boolean => /^[\0-\x7f]*$/.test(name);

const slashByte = (root: Buffer): Buffer => Buffer.from(root.at(-1) === 0x2f ? "" : "/");

/** "permission denied" out of what node:fs threw. */
export function reasonOf(error: unknown): string {
  if (hasErrno(error, "EACCES", "EPERM")) return "permission denied";
  if (hasErrno(error, "ENOENT")) return "no such file or directory";
  if (hasErrno(error, "ENAMETOOLONG")) return "the path is too long";
  if (hasErrno(error, "EMFILE", "ENFILE")) return "too many open files";
  return error instanceof Error ? error.message : String(error);
}
