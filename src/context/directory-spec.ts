import { join } from "node:path";
import { openDirectoryTree } from "./directory-tree.ts";
import { parseIgnoreFile } from "./ignore-file.ts";
import { readFileFrom, readHostFile } from "./read-context-file.ts";
import type { DirectorySpec } from "./tree-spec.ts";

const ignoreFileName = ".dockerignore";

/**
 * A directory of this machine as a build context, with the rules that hold for it: those of `<dockerfile>.dockerignore`
 * if that exists, else those of `.dockerignore` in the directory. `dockerfile` is its path on this machine; null for a
 * named context or a Dockerfile from elsewhere. `statCache` is the file of the stat cache, or null.
 * Throws CONTEXT_NOT_FOUND when `root` is no directory, CONTEXT_IGNORE_INVALID for a malformed rule.
 */
export function describeDirectory(root: string, dockerfile: string | null, statCache: string | null): DirectorySpec {
  const everything: DirectorySpec = { kind: "directory", root, ignore: [], ignoreFile: null, statCache };
  const own = dockerfile === null ? null : `${dockerfile}${ignoreFileName}`;
  const ownBytes = own === null ? null : readHostFile(own);
  if (own !== null && ownBytes !== null)
    return { ...everything, ignore: parseIgnoreFile(ownBytes, own), ignoreFile: own };
  const shared = join(root, ignoreFileName);
  const sharedBytes = readFileFrom(openDirectoryTree(everything), ignoreFileName);
  if (sharedBytes === null) return everything;
  return { ...everything, ignore: parseIgnoreFile(sharedBytes, shared), ignoreFile: shared };
}
