import { BuildError } from "../base/errors.ts";
import type { Task } from "../base/task.ts";
import { openTarContext, openTarContextTask } from "../context/tar-context.ts";
import { clampLayerTimes, clampLayerTimesTask } from "../layer/clamp-layer-times.ts";
import { compressBlock, compressBlockTask } from "../layer/compress-block.ts";
import { makeImpliedDirectories, makeImpliedDirectoriesTask } from "../layer/implied-directories.ts";
import type { ReadLayerIndex } from "../layer/layer-indexes.ts";
import { packDirectoryDiff, packDirectoryDiffTask } from "../layer/pack-directory-diff.ts";
import { needsLayersBelow, needsLayersBelowTask, squashLayers, squashLayersTask } from "../layer/squash-layers.ts";
import { unpackLayer, unpackLayerTask } from "../layer/unpack-layer.ts";
import { checkLayerBlob, checkLayerBlobTask, checkStoredLayer, checkStoredLayerTask } from "../output/check-layer.ts";
import { mergeDirectory, mergeDirectoryTask } from "../output/merge-directory.ts";
import { writeRootfsDirectory, writeRootfsDirectoryTask } from "../output/write-rootfs-directory.ts";
import { hashCopy, hashCopyTask, hashPath, hashPathTask } from "../steps/copy/hash-copy.ts";
import { packCopy, packCopyTask } from "../steps/copy/pack-copy.ts";
import { packWorkdir, packWorkdirTask } from "../steps/workdir.ts";

/** What a thread keeps from one task to the next. */
export interface TaskResources {
  readonly readIndex: ReadLayerIndex;
}

type TaskFunction = (input: unknown, resources: TaskResources) => unknown;

const bind = <In, Out>(
  task: Task<In, Out>,
  work: (input: In, resources: TaskResources) => Out | Promise<Out>,
): [string, TaskFunction] => [task.name, work as TaskFunction];

/** Every task a worker thread can be asked for. */
const table: ReadonlyMap<string, TaskFunction> = new Map([
  bind(openTarContextTask, openTarContext),
  bind(clampLayerTimesTask, clampLayerTimes),
  bind(compressBlockTask, compressBlock),
  bind(makeImpliedDirectoriesTask, (input, { readIndex }) => makeImpliedDirectories(input, readIndex)),
  bind(packDirectoryDiffTask, (input, { readIndex }) => packDirectoryDiff(input, readIndex)),
  bind(needsLayersBelowTask, needsLayersBelow),
  bind(squashLayersTask, squashLayers),
  bind(unpackLayerTask, unpackLayer),
  bind(checkLayerBlobTask, checkLayerBlob),
  bind(checkStoredLayerTask, checkStoredLayer),
  bind(mergeDirectoryTask, mergeDirectory),
  bind(writeRootfsDirectoryTask, writeRootfsDirectory),
  bind(hashCopyTask, hashCopy),
  bind(hashPathTask, hashPath),
  bind(packCopyTask, packCopy),
  bind(packWorkdirTask, packWorkdir),
]);

/** The function bound to a task's name. */
export function functionOf(name: string): TaskFunction {
  const work = table.get(name);
  if (work === undefined) throw new BuildError("INTERNAL", `no task is called ${name}`);
  return work;
}
