import { BuildError } from "../base/errors.ts";
import type { FileTree } from "./file-tree.ts";
import { childPath, parentOf } from "./path-order.ts";

/** As many links as Go's filepath.EvalSymlinks and securejoin follow before they give up. */
const maxLinks = 255;

/**
 * Where `path` really lies in `tree`: links are followed inside the root only (absolute ones start at the root, ".."
 * stays in it). `follow` "parents" leaves a link in the last component alone. What does not exist is kept as it is
 * written, so the result need not exist. Empty components and "." count for nothing; a leading "/" is allowed.
 * Throws CONTEXT_INVALID after 255 links.
 */
export function resolveInTree(tree: Pick<FileTree, "lstat">, path: string, follow: "all" | "parents"): string {
  const left = path.split("/").reverse();
  let resolved = "";
  let links = 0;
  for (let name = left.pop(); name !== undefined; name = left.pop()) {
    if (name === "" || name === ".") continue;
    if (name === "..") {
      resolved = parentOf(resolved);
      continue;
    }
    const next = childPath(resolved, name);
    const isLast = left.every((component) => component === "" || component === ".");
    const entry = follow === "parents" && isLast ? null : tree.lstat(next);
    if (entry?.type !== "symlink" || entry.target === null) {
      resolved = next;
      continue;
    }
    links += 1;
    if (links > maxLinks) {
      throw new BuildError("CONTEXT_INVALID", `path ${JSON.stringify(path)}: more than ${maxLinks} symbolic links`);
    }
    if (entry.target.startsWith("/")) resolved = "";
    left.push(...entry.target.split("/").reverse());
  }
  return resolved;
}
