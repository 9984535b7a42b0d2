import { closeSync, constants, mkdirSync, openSync, readdirSync, readFileSync, rmdirSync, writeSync } from "node:fs";
import { hasErrno } from "../../sys/system-error.ts";

/** The file systems of control groups, and what is done to the processes in them. Errors have the kernel's errno. */
export interface CgroupFiles {
  /** null when there is no such file. */
  read(path: string): string | null;
  /** Writes to a file that is there. */
  write(path: string, text: string): void;
  makeDirectory(path: string): void;
  /** Removes a group without processes and groups in it. */
  removeDirectory(path: string): void;
  /** Names of the groups in a group; none when it is not there. */
  groupsIn(path: string): readonly string[];
  /** Ends a process, if it is there. */
  kill(pid: number): void;
}

/** Those of this machine. */
export const hostCgroupFiles: CgroupFiles = {
  read(path) {
    try {
      return readFileSync(path, "utf8");
    } catch (error) {
      if (hasErrno(error, "ENOENT", "ENODEV")) return null;
      throw error;
    }
  },
  write(path, text) {
    // neither made nor truncated, and some cannot be opened for reading
    const fd = openSync(path, constants.O_WRONLY);
    try {
      writeSync(fd, text);
    } finally {
      closeSync(fd);
    }
  },
  makeDirectory: (path) => mkdirSync(path, { mode: 0o755 }),
  removeDirectory: (path) => rmdirSync(path),
  groupsIn(path) {
    try {
      return readdirSync(path, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
    } catch (error) {
      if (hasErrno(error, "ENOENT")) return [];
      throw error;
    }
  },
  kill(pid) {
    try {
      process.kill(pid, "SIGKILL");
    } catch (error) {
      if (!hasErrno(error, "ESRCH")) throw error;
    }
  },
};
