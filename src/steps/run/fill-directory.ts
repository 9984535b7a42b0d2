import { chmod, chown, rmdir } from "node:fs/promises";
import { join } from "node:path";
import type { TaskRunner } from "../../base/task.ts";
import { openTree } from "../../context/open-tree.ts";
import type { TreeSpec } from "../../context/tree-spec.ts";
import { resolveInTree } from "../../layer/resolve-path.ts";
import { unpackLayerTask } from "../../layer/unpack-layer.ts";
import type { LayerStore } from "../../store/layer-store.ts";
import { packCopyTask } from "../copy/pack-copy.ts";

/** Copies what the directory `path` of a tree holds into the empty directory `directory`, which gets its owner and mode. */
export async function fillDirectory(
  tree: TreeSpec,
  path: string,
  directory: string,
  { layers, tasks }: { readonly layers: LayerStore; readonly tasks: TaskRunner },
  signal: AbortSignal,
): Promise<void> {
  const workDirectory = await layers.makeTemporary();
  const { layer } = await tasks.run(
    packCopyTask,
    { actions: [copyAction(tree, path, "/", false)], parent: null, workDirectory, nowSeconds: 0 },
    signal,
  );
  // Unpacking makes the directory itself.
  await rmdir(directory);
  await tasks.run(
    unpackLayerTask,
    {
      source: join(workDirectory, "tar"),
      blob: null,
      diffId: layer.diffId,
      indexFile: null,
      tarFile: null,
      directory,
      overlayXattrs: "trusted",
    },
    signal,
  );
  const files = openTree(tree);
  const root = files.lstat(resolveInTree(files, path, "all"));
  await chown(directory, root?.uid ?? 0, root?.gid ?? 0);
  await chmod(directory, root?.mode ?? 0o755);
}

/** Copies `path` of a tree, unchanged, to `destination`; with `parents`, under its whole path. */
export const copyAction = (tree: TreeSpec, path: string, destination: string, parents: boolean) =>
  ({
    kind: "paths",
    tree,
    paths: [path],
    destination,
    chown: null,
    chmod: null,
    parents,
    excludes: [],
    unpack: "never",
  }) as const;
