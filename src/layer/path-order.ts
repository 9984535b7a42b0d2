import { encodeName } from "../base/file-name.ts";

const slash = 0x2f;

/**
 * Order of two entry paths, component by component in byte order: a directory stands right before its content, and its
 * content right after it (`a`, `a/b`, `a.b`). Negative, zero or positive, as for sort.
 */
export function comparePaths(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) {
    const unitA = a.charCodeAt(at);
    const unitB = b.charCodeAt(at);
    if (unitA === unitB) continue;
    // UTF-16 code units sort as the bytes of the name do, except from the surrogates on.
    if (unitA >= 0xd800 || unitB >= 0xd800) return compareBytes(encodeName(a), encodeName(b));
    return rank(unitA) - rank(unitB);
  }
  return a.length - b.length;
}

const rank = (unit: number): number => (unit === slash ? 0 : unit);

function compareBytes(a: Buffer, b: Buffer): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) {
    const byteA = a[at] as number;
    const byteB = b[at] as number;
    if (byteA !== byteB) return rank(byteA) - rank(byteB);
  }
  return a.length - b.length;
}

/** The path of the directory `path` lies in; "" for what lies in the root. */
export function parentOf(path: string): string {
  const at = path.lastIndexOf("/");
  return at < 0 ? "" : path.slice(0, at);
}

/** The last component of `path`. */
export const baseNameOf = (path: string): string => path.slice(path.lastIndexOf("/") + 1);

/** The path of `name` in `directory`. */
export const childPath = (directory: string, name: string): string =>
  directory === "" ? name : `${directory}/${name}`;
