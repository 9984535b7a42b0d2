import { setMaxListeners } from "node:events";
import type { TaskRunner } from "../base/task.ts";
import { largestConfigBytes } from "../image/image-document.ts";
import type { PlatformImage } from "../output/output.ts";
import { RegistryBlobs } from "../registry/registry-blobs.ts";
import type { RegistryClient } from "../registry/registry-client.ts";
import type { StoredPlatformImage } from "../store/image-store.ts";
import type { LayerStore, RemoteBlobs } from "../store/layer-store.ts";
import { openLayerStore } from "../store/open-layer-store.ts";
import { openStore, type Store } from "../store/open-store.ts";
import { WorkerPool } from "../workers/worker-pool.ts";
import type { EngineSettings } from "./engine.ts";

/** What commands on finished images work with. */
export interface ImageWorkshop {
  readonly store: Store;
  /** Layers that are only known in a registry are fetched when they are needed. */
  readonly layers: LayerStore;
  readonly tasks: TaskRunner;
}

/** Runs `work` on the store of `settings` and closes everything behind it. */
export async function withImageWorkshop<T>(
  settings: EngineSettings,
  signal: AbortSignal,
  work: (workshop: ImageWorkshop) => Promise<T>,
): Promise<T> {
  setMaxListeners(0, signal); // every layer that is fetched, compressed or written listens
  const store = await openStore(settings.root);
  const tasks = new WorkerPool();
  let registry: Promise<RegistryClient> | null = null;
  const remote: RemoteBlobs = {
    open: async (origin, blob, signal) => {
      registry ??= import("./open-registry.ts").then(({ openRegistry }) => openRegistry(settings.environment));
      return new RegistryBlobs(await registry).open(origin, blob, signal);
    },
  };
  try {
    return await work({ store, layers: openLayerStore(store, tasks, remote, () => {}), tasks });
  } finally {
    await tasks.close();
    await store.close();
  }
}

/** A stored image with the bytes of its config, ready to leave. Throws BLOB_* when these are gone or broken. */
export async function takeOut(store: Store, image: StoredPlatformImage): Promise<PlatformImage> {
  const { platform, imageId, diffIds, annotations } = image;
  return { platform, config: await store.blobs.readBytes(imageId, largestConfigBytes), imageId, diffIds, annotations };
}
