import { BuildError } from "../base/errors.ts";
import type { Entry } from "../layer/entry.ts";
import type { FileTree } from "../layer/file-tree.ts";
import { resolveInTree } from "../layer/resolve-path.ts";

/** An image, and an absolute path in it; null when only the image is named. */
export interface ImagePath {
  readonly image: string;
  readonly path: string | null;
}

/** Splits `IMAGE:/PATH` at its first `:/`, which no reference has. */
export function parseImagePath(text: string): ImagePath {
  const at = text.indexOf(":/");
  return at < 0 ? { image: text, path: null } : { image: text.slice(0, at), path: text.slice(at + 1) };
}

/** What lies at `path`, behind all links. Throws IMAGE_NOT_FOUND, CONTEXT_INVALID for links in a circle. */
export function findEntry(tree: FileTree, path: string): Entry {
  const entry = tree.lstat(resolveInTree(tree, path, "all"));
  if (entry === null) throw new BuildError("IMAGE_NOT_FOUND", `path ${JSON.stringify(path)}: not in the image`);
  return entry;
}
