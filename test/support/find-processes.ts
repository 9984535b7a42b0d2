import { readdirSync, readFileSync } from "node:fs";

/** Ids of the processes, in whatever namespace, that have `marker` in their arguments or environment. Linux only. */
export function findProcesses(marker: string): readonly number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((name) => ["cmdline", "environ"].some((file) => readIfThere(`/proc/${name}/${file}`).includes(marker)))
    .map(Number);
}

/** What a process that ends meanwhile has to say is nothing. */
function readIfThere(file: string): string {
  try {
    return readFileSync(file, "latin1");
  } catch {
    return "";
  }
}
