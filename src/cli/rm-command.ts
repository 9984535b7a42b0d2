import { setTimeout as sleep } from "node:timers/promises";
import { isBuildError } from "../base/errors.ts";
import type { ContainerStore } from "../store/container-store.ts";
import type { RmOptions } from "./container-commands.ts";
import { withStore } from "./with-store.ts";

/** `tsbuild rm`: removes containers; prints what it was called with. All names are looked up before any goes. */
export async function runRm(names: readonly string[], options: RmOptions): Promise<void> {
  const isForced = options.force === true;
  await withStore(options, async ({ containers }) => {
    const found = await Promise.all(names.map((name) => findContainer(containers, name, isForced)));
    for (const [at, id] of found.entries()) {
      if (id === null) continue;
      if (isForced) await killAndRemove(containers, id);
      else await containers.remove(id);
      process.stdout.write(`${names[at]}\n`);
    }
  });
}

async function findContainer(containers: ContainerStore, name: string, isForced: boolean): Promise<string | null> {
  try {
    return await containers.find(name);
  } catch (error) {
    if (isForced && isBuildError(error, "CONTAINER_NOT_FOUND")) return null;
    throw error;
  }
}

const pollMs = 20;
const patienceMs = 10_000;

/** Kills a container's process until whoever ran it lets go of it. */
async function killAndRemove(containers: ContainerStore, id: string): Promise<void> {
  for (const giveUpAtMs = performance.now() + patienceMs; ; await sleep(pollMs)) {
    try {
      await containers.remove(id);
      return;
    } catch (error) {
      if (!isBuildError(error, "CONTAINER_IN_USE") || performance.now() > giveUpAtMs) throw error;
    }
    const container = await containers.get(id);
    if (container?.isRunning === true && container.start !== null) killProcess(container.start.pid);
  }
}

function killProcess(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
