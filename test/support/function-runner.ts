import type { Task, TaskRunner } from "../../src/base/task.ts";

/** A task and the function that does it. */
export interface BoundTask {
  readonly name: string;
  work(input: unknown): unknown;
}

export const bindTask = <In, Out>(task: Task<In, Out>, work: (input: In) => Out | Promise<Out>): BoundTask => ({
  name: task.name,
  work: (input) => work(input as In),
});

/** Runs the given tasks in the calling thread and keeps their names, in order, in `ran`. */
export function functionRunner(...bound: readonly BoundTask[]): TaskRunner & { readonly ran: readonly string[] } {
  const ran: string[] = [];
  return {
    ran,
    async run<In, Out>(task: Task<In, Out>, input: In): Promise<Out> {
      const found = bound.find(({ name }) => name === task.name);
      if (found === undefined) throw new Error(`no function for task ${task.name}`);
      ran.push(task.name);
      return (await found.work(structuredClone(input))) as Out;
    },
  };
}
