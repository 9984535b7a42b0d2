import type { FileTree } from "../layer/file-tree.ts";
import { openRootfsView } from "../layer/rootfs-view.ts";
import { openDirectoryTree } from "./directory-tree.ts";
import type { TreeSpec } from "./tree-spec.ts";

/** Opens the tree a spec describes: a directory of this machine, or a stack of layers. */
export function openTree(spec: TreeSpec): FileTree {
  return spec.kind === "directory" ? openDirectoryTree(spec) : openRootfsView(spec.layers);
}
