import type { Task, TaskRunner } from "../base/task.ts";
import { readLayerIndex } from "../layer/layer-index.ts";
import { functionOf } from "./task-table.ts";

/** Runs tasks in the calling thread: for tests, and for work smaller than the start of a thread. */
export const inThreadRunner: TaskRunner = {
  async run<In, Out>(task: Task<In, Out>, input: In, signal?: AbortSignal): Promise<Out> {
    signal?.throwIfAborted();
    return (await functionOf(task.name)(structuredClone(input), { readIndex: readLayerIndex })) as Out;
  },
};
