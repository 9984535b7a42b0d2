import { createHash } from "node:crypto";
import { type Digest, digestFromHex } from "../base/digest.ts";
import { BuildError } from "../base/errors.ts";
import type { Entry } from "../layer/entry.ts";
import type { FileTree } from "../layer/file-tree.ts";

/** One thing selected: where it is in the tree, and under which name it counts. */
export interface SelectionRoot {
  readonly path: string;
  readonly name: string;
}

/**
 * Hashes what COPY selects, row by row in the order given: relative path, type, mode, owner, size, link target, device,
 * xattrs and content; neither times nor what is a hard link to what.
 */
export class SelectionHasher {
  readonly #hash = createHash("sha256");

  /** `digest` is that of a file's content; null for everything else. */
  add(relativePath: string, entry: Entry, digest: Digest | null): void {
    const xattrs = entry.xattrs === null ? null : Object.entries(entry.xattrs).sort(([a], [b]) => (a < b ? -1 : 1));
    const device = entry.device === null ? null : [entry.device.major, entry.device.minor];
    const { type, mode, uid, gid, size, target } = entry;
    this.#hash.update(
      `${JSON.stringify([relativePath, type, mode, uid, gid, size, target, device, xattrs, digest])}\n`,
    );
  }

  finish(): Digest {
    return digestFromHex(this.#hash.digest("hex"));
  }
}

/**
 * The digest of whole subtrees of `tree`, in the order of `roots`, each row named `name` + the path below the root.
 * `isSelected` leaves out entries, and what lies in them, by their path in the tree. Throws CONTEXT_PATH_NOT_FOUND for a
 * root that does not exist.
 */
export function hashSelection(
  tree: FileTree,
  roots: readonly SelectionRoot[],
  isSelected: (entry: Entry) => boolean = () => true,
): Digest {
  const hasher = new SelectionHasher();
  for (const { path, name } of roots) {
    const entry = tree.lstat(path);
    if (entry === null) throw new BuildError("CONTEXT_PATH_NOT_FOUND", `${JSON.stringify(`/${path}`)}: not found`);
    addTree(hasher, tree, entry, name, isSelected);
  }
  return hasher.finish();
}

function addTree(
  hasher: SelectionHasher,
  tree: FileTree,
  root: Entry,
  name: string,
  isSelected: (entry: Entry) => boolean,
): void {
  const left: { readonly entry: Entry; readonly name: string }[] = [{ entry: root, name }];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const { entry } = next;
    if (!isSelected(entry)) continue;
    hasher.add(next.name, entry, entry.type === "file" ? tree.digest(entry) : null);
    if (entry.type !== "directory") continue;
    for (const child of [...tree.list(entry.path)].reverse())
      left.push({ entry: child, name: joinNames(next.name, child.path.slice(child.path.lastIndexOf("/") + 1)) });
  }
}

const joinNames = (parent: string, name: string): string => (parent === "" ? name : `${parent}/${name}`);
