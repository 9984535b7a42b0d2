import type { ProgressSink } from "../../base/build-event.ts";
import { BuildError } from "../../base/errors.ts";
import { RegistryBlobs } from "../../registry/registry-blobs.ts";
import { limitRuntime } from "../../sandbox/cgroups/limit-runtime.ts";
import { NamespaceRuntime } from "../../sandbox/namespaces/namespace-runtime.ts";
import type { ProcessIo, Runtime } from "../../sandbox/runtime.ts";
import { openLayerStore } from "../../store/open-layer-store.ts";
import { openStore } from "../../store/open-store.ts";
import type { EngineSettings } from "../engine.ts";
import { type ImageWorkshop, withImageWorkshop } from "../image-workshop.ts";
import { createContainer, type ReadyContainer } from "./create-container.ts";
import { type ImageWish, obtainImage } from "./obtain-image.ts";
import { runContainer } from "./run-container.ts";
import type { RunRequest } from "./run-request.ts";

/** A container that waits for its program to be run, once. */
export interface WaitingContainer {
  /**
   * Runs the program; its exit code. Nothing of the store is held meanwhile but the container. After an abort everything
   * in it is killed. Rejects with what keeps the program from being run; RUN_FAILED has `exitCode` 126 or 127 in its
   * details when the image lacks it.
   */
  run(io: ProcessIo, signal: AbortSignal): Promise<number>;
}

/** Makes a container of an image, which is pulled if need be. Rejects as pulling and `createContainer` do. */
export async function makeContainer(
  settings: EngineSettings,
  wish: ImageWish,
  request: RunRequest,
  sink: ProgressSink,
  signal: AbortSignal,
): Promise<WaitingContainer> {
  const unlimited = new NamespaceRuntime();
  const limited = await limitRuntime(unlimited, request.limits);
  const runtime = limited ?? unlimited;
  await requireRuntime(runtime);
  runtime.prepare();
  const ready = await withImageWorkshop(settings, signal, (workshop) =>
    makeReady(settings, wish, request, workshop, sink, signal),
  );
  return {
    async run(io, signal) {
      try {
        return await runContainer(ready, runtime, io, signal);
      } finally {
        await limited?.close();
        if (request.isTransient) await removeContainer(settings.root, ready.container.id);
      }
    },
  };
}

async function requireRuntime(runtime: Runtime): Promise<void> {
  const [missing] = await runtime.probe();
  if (missing !== undefined) throw new BuildError("RUNTIME_UNAVAILABLE", missing.what, { hint: missing.hint });
}

async function makeReady(
  settings: EngineSettings,
  wish: ImageWish,
  request: RunRequest,
  workshop: ImageWorkshop,
  sink: ProgressSink,
  signal: AbortSignal,
): Promise<ReadyContainer> {
  const { store, tasks } = workshop;
  const image = await obtainImage(wish, store, async (reference, platform) => {
    const [{ pullImage }, { openRegistry }] = await Promise.all([
      import("../pull-image.ts"),
      import("../open-registry.ts"),
    ]);
    const client = await openRegistry(settings.environment);
    const blobs = new RegistryBlobs(client);
    await pullImage(
      reference,
      [platform],
      store,
      (onTransfer) => openLayerStore(store, tasks, blobs, onTransfer),
      client,
      sink,
      signal,
    );
  });
  return createContainer(request, image, wish.name, workshop, signal);
}

async function removeContainer(root: string, id: string): Promise<void> {
  const store = await openStore(root);
  try {
    await store.containers.remove(id);
  } finally {
    await store.close();
  }
}
