import { join } from "node:path";
import { BuildError } from "../base/errors.ts";
import { readContainerLog } from "../store/container-log.ts";
import type { Store } from "../store/open-store.ts";
import type { LogsOptions } from "./container-commands.ts";
import { withInterrupt } from "./with-interrupt.ts";
import { withStore } from "./with-store.ts";

/** `tsbuild logs`: what a container's program wrote to standard output and standard error, to these. */
export async function runLogs(name: string, options: LogsOptions): Promise<void> {
  const tail = parseTail(options.tail);
  // Not while it is followed, which can take days: prune waits for those who have the store open.
  const { file, containers, id } = await withStore(options, async ({ containers, paths }: Store) => {
    const { id } = await containers.open(name);
    return { file: join(paths.container(id), "log"), containers, id };
  });
  const mayGrow = async (): Promise<boolean> =>
    options.follow === true && (await containers.get(id))?.isRunning === true;
  await withInterrupt(async (signal) => {
    const isLineStart = { stdout: true, stderr: true };
    for await (const { stream, bytes, atMs } of readContainerLog(file, tail, mayGrow, signal)) {
      if (options.timestamps === true && isLineStart[stream])
        process[stream].write(`${new Date(atMs).toISOString().replace("Z", "000000Z")} `);
      process[stream].write(bytes);
      isLineStart[stream] = bytes.at(-1) === 0x0a;
    }
  });
}

function parseTail(text: string): number | null {
  if (text === "all") return null;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new BuildError("USAGE_INVALID", `--tail ${JSON.stringify(text)}: want a number of lines, or all`);
}
