declare const taskTypes: unique symbol;

/** Names a pure function that may run in a worker thread: plain JSON in, plain JSON out. */
export interface Task<In, Out> {
  readonly name: string;
  readonly [taskTypes]?: (input: In) => Out;
}

/** A task by its name; the function is bound to it in `workers/task-table.ts`. */
export function defineTask<In, Out>(name: string): Task<In, Out> {
  return { name };
}

/** Runs tasks, in this thread or in another one: callers cannot tell. */
export interface TaskRunner {
  /**
   * Resolves with the task's result; rejects with the BuildError it threw. `transfer` lists buffers in `input` that
   * may be moved instead of copied. An abort rejects with BUILD_CANCELLED; the task itself may still run to its end.
   */
  run<In, Out>(task: Task<In, Out>, input: In, signal?: AbortSignal): Promise<Out>;
}
