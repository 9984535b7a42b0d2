import { toWire, type WireError } from "../base/errors.ts";
import { LayerIndexes } from "../layer/layer-indexes.ts";
import { functionOf, type TaskResources } from "./task-table.ts";

export interface TaskRequest {
  readonly task: string;
  readonly input: unknown;
}

/** A thrown error would lose its class and code on the way to the main thread. */
export type TaskOutcome =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly error: WireError };

/** Files of the indexes that a thread keeps open: as much again, at most, for the rows it looked at. */
const indexLimitBytes = 32 << 20;

const resources: TaskResources = { readIndex: new LayerIndexes(indexLimitBytes).read };

/** Entry of a worker thread: runs one task after the other. */
async function runTask({ task, input }: TaskRequest): Promise<TaskOutcome> {
  try {
    return { ok: true, value: await functionOf(task)(input, resources) };
  } catch (error) {
    return { ok: false, error: toWire(error) };
  }
}

// biome-ignore lint/style/noDefaultExport: piscina calls the default export of the file it is given
export default runTask;
