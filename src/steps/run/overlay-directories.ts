import type { DiffId } from "../../base/digest.ts";
import type { TaskRunner } from "../../base/task.ts";
import { makeImpliedDirectoriesTask } from "../../layer/implied-directories.ts";
import type { LayerStore } from "../../store/layer-store.ts";

/**
 * Directories for an overlay of layers, topmost first; unpacked if needed, several at a time. Equal layers are one
 * directory, which overlayfs takes only once: the topmost one shows and hides all that the others would. `diffIds` are
 * lowest first; `implied` is where one more directory may be made.
 */
export async function overlayDirectories(
  diffIds: readonly DiffId[],
  implied: string,
  { layers, tasks }: { readonly layers: LayerStore; readonly tasks: TaskRunner },
  signal: AbortSignal,
): Promise<readonly string[]> {
  const topmostFirst = [...new Set([...diffIds].reverse())];
  const directories = await Promise.all(topmostFirst.map((diffId) => layers.directory(diffId, signal)));
  const locations = await Promise.all(diffIds.map((diffId) => layers.readable(diffId, signal)));
  const input = { layers: locations, directory: implied, overlayXattrs: "trusted" } as const;
  return (await tasks.run(makeImpliedDirectoriesTask, input, signal)) ? [implied, ...directories] : directories;
}
