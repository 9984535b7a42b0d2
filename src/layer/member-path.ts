import { BuildError } from "../base/errors.ts";
import { decodeName } from "../base/file-name.ts";

/** As on Linux: a component (NAME_MAX), a path or link target with the NUL behind it (PATH_MAX). */
const maxNameBytes = 255;
const maxPathBytes = 4095;
const slash = 0x2f;

/**
 * The path inside the root that a member's name means: a leading "/" and "." count for nothing, ".." is resolved
 * without looking at any file (as Go's filepath.Clean does) and never leaves the root. "" is the root itself.
 * Throws LAYER_MALFORMED for names that no Linux file system could hold.
 */
export function cleanMemberName(name: Buffer): string {
  if (name.length > maxPathBytes) throw refused(name, `is ${name.length} bytes long, at most ${maxPathBytes} work`);
  if (name.includes(0)) throw refused(name, "has a NUL in it");
  const parts: string[] = [];
  for (let at = 0; at <= name.length; ) {
    const next = name.indexOf(slash, at);
    const end = next < 0 ? name.length : next;
    if (end - at > maxNameBytes) throw refused(name, `has a part of ${end - at} bytes, at most ${maxNameBytes} work`);
    const part = decodeName(name.subarray(at, end));
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
    at = end + 1;
  }
  return parts.join("/");
}

/** A symlink's target, verbatim. Throws LAYER_MALFORMED for one that no Linux file system could hold. */
export function checkLinkTarget(name: Buffer, target: Buffer): string {
  if (target.length === 0 || target.length > maxPathBytes) {
    throw refused(name, `is a symbolic link to ${target.length} bytes, want 1 to ${maxPathBytes}`);
  }
  if (target.includes(0)) throw refused(name, "is a symbolic link with a NUL in it");
  return decodeName(target);
}

export function refused(name: Buffer | string, what: string): BuildError {
  const text = typeof name === "string" ? name : decodeName(name.subarray(0, 300));
  return new BuildError("LAYER_MALFORMED", `layer entry ${JSON.stringify(text)} ${what}`);
}
