import { posix } from "node:path";

/** A path without `.`, `..`, repeated or trailing slashes; absolute paths never leave the root. */
export function cleanPath(path: string): string {
  const clean = posix.normalize(path);
  return clean.length > 1 && clean.endsWith("/") ? clean.slice(0, -1) : clean;
}

/** `path` as seen from `directory`, absolute and clean. */
export const absolutePath = (directory: string, path: string): string =>
  cleanPath(posix.join("/", path.startsWith("/") ? "" : directory, path));

/** The new working directory after `WORKDIR path`: an absolute path is kept as written. */
export function nextWorkingDir(current: string, path: string): string {
  if (path === "") return current === "" ? "/" : current;
  return path.startsWith("/") ? path : absolutePath(current, path);
}

/** Where COPY writes to: absolute; a final "/" or "/." is kept, since it makes the destination a directory. */
export function copyDestination(workingDir: string, path: string): string {
  const written = path === "" || path === "." ? "./" : path;
  const clean = absolutePath(workingDir, written);
  const base = clean === "/" ? "" : clean;
  if (written.endsWith("/")) return `${base}/`;
  return written.endsWith("/.") ? `${base}/.` : clean;
}

/** Whether `name` can be the name of one file: not empty, no slash, no NUL, not `.` or `..`. */
export const isFileName = (name: string): boolean => !/^\.{0,2}$|[/\0]/.test(name);

/** The last part of a path, as Go's path.Base has it: "/" for the root and "." for nothing. */
export function baseName(path: string): string {
  if (path === "") return ".";
  const trimmed = path.replace(/\/+$/, "");
  return trimmed === "" ? "/" : trimmed.slice(trimmed.lastIndexOf("/") + 1);
}
