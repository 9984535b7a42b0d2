import type { TaskRunner } from "../base/task.ts";
import type { OverlayXattrs } from "../layer/directory-writer.ts";
import { DirectoryLayerStore } from "./directory-layer-store.ts";
import type { LayerStore, RemoteBlobs } from "./layer-store.ts";
import type { Store } from "./open-store.ts";
import { type OnTransfer, RemoteFetcher } from "./remote-fetcher.ts";
import { taskConversions } from "./task-conversions.ts";

/**
 * The layers of a store. Layers are unpacked by `runner` and fetched from `remote`; `onTransfer` is told how far
 * downloads are. `overlayXattrs` is "user" where overlays are mounted inside a user namespace.
 */
export function openLayerStore(
  store: Store,
  runner: TaskRunner,
  remote: RemoteBlobs,
  onTransfer: OnTransfer,
  overlayXattrs: OverlayXattrs = "trusted",
): LayerStore {
  const fetcher = new RemoteFetcher(remote, store.blobs, onTransfer);
  return new DirectoryLayerStore(store.paths, store.blobs, taskConversions(runner, overlayXattrs), fetcher);
}
