import { BuildError } from "../base/errors.ts";
import type { Task } from "../base/task.ts";

type TaskFunction = (input: unknown) => unknown;

const bind = <In, Out>(task: Task<In, Out>, work: (input: In) => Out | Promise<Out>): [string, TaskFunction] => [
  task.name,
  work as TaskFunction,
];

/** Every task a worker thread can be asked for. */
const table: ReadonlyMap<string, TaskFunction> = new Map([]);

/** The function bound to a task's name. */
export function functionOf(name: string): TaskFunction {
  const work = table.get(name);
  if (work === undefined) throw new BuildError("INTERNAL", `no task is called ${name}`);
  return work;
}
