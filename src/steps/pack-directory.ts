import type { DiffId } from "../base/digest.ts";
import { packCopyTask } from "./copy/pack-copy.ts";
import type { StepContext } from "./step-context.ts";

/** Puts all of the directory `root` into the store as one layer; `workDirectory` is a temporary directory of the store. */
export async function packDirectory(
  root: string,
  workDirectory: string,
  nowMs: number,
  context: StepContext,
  signal: AbortSignal,
): Promise<DiffId> {
  const { layer } = await context.tasks.run(
    packCopyTask,
    {
      actions: [
        {
          kind: "paths",
          tree: { kind: "directory", root, ignore: [], ignoreFile: null, statCache: null },
          paths: ["/"],
          destination: "/",
          chown: null,
          chmod: null,
          parents: false,
          excludes: [],
          unpack: "never",
        },
      ],
      parent: null,
      workDirectory,
      nowSeconds: Math.floor(nowMs / 1000),
    },
    signal,
  );
  await context.layers.commitTar(workDirectory, layer);
  return layer.diffId;
}
