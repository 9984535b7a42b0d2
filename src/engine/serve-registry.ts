import { readFile } from "node:fs/promises";
import { BuildError } from "../base/errors.ts";
import { RegistryBlobs } from "../registry/registry-blobs.ts";
import type { RegistryClient } from "../registry/registry-client.ts";
import { parseHtpasswd } from "../serve/htpasswd.ts";
import { startRegistryServer } from "../serve/registry-server.ts";
import { clientIdleMs, storeIdleMs } from "../serve/serve-limits.ts";
import { ServedImages } from "../serve/served-images.ts";
import { type OpenedStore, StoreLease } from "../serve/store-lease.ts";
import type { RemoteBlobs } from "../store/layer-store.ts";
import { openLayerStore } from "../store/open-layer-store.ts";
import { openStore } from "../store/open-store.ts";
import { WorkerPool } from "../workers/worker-pool.ts";
import type { EngineSettings } from "./engine.ts";

/** How the store is offered as a registry. */
export interface ServeRequest {
  readonly host: string;
  /** 0 for any that is free. */
  readonly port: number;
  readonly allowPush: boolean;
  readonly allowDelete: boolean;
  /** Files; null for none. */
  readonly htpasswd: string | null;
  readonly tls: { readonly cert: string; readonly key: string } | null;
}

/** Told what happens while a registry runs. */
export interface ServeEvents {
  listening(url: string): void;
  failed(request: string, error: unknown): void;
}

/**
 * Offers the store of `settings` as a registry until `signal` aborts. Throws CONFIG_INVALID, USAGE_INVALID, and what
 * opening a store throws.
 */
export async function serveRegistry(
  settings: EngineSettings,
  request: ServeRequest,
  events: ServeEvents,
  signal: AbortSignal,
): Promise<void> {
  const users = request.htpasswd === null ? null : parseHtpasswd(await readText(request.htpasswd), request.htpasswd);
  const tls =
    request.tls === null ? null : { cert: await readText(request.tls.cert), key: await readText(request.tls.key) };
  const tasks = new WorkerPool();
  const work = new AbortController();
  const lease = new StoreLease(openServed(settings, tasks, work.signal), storeIdleMs);
  try {
    // What is wrong with the store is said at once, not with the first request.
    await lease.use(async () => {});
    const server = await startRegistryServer(lease, {
      host: request.host,
      port: request.port,
      rights: { push: request.allowPush, delete: request.allowDelete, users },
      tls,
      idleMs: clientIdleMs,
      onFailure: events.failed,
    });
    events.listening(server.url);
    await aborted(signal);
    await server.stop();
  } finally {
    work.abort();
    await lease.close();
    await tasks.close();
  }
}

function openServed(settings: EngineSettings, tasks: WorkerPool, signal: AbortSignal): () => Promise<OpenedStore> {
  let registry: Promise<RegistryClient> | null = null;
  const remote: RemoteBlobs = {
    open: async (origin, blob, signal) => {
      registry ??= import("./open-registry.ts").then(({ openRegistry }) => openRegistry(settings.environment));
      return new RegistryBlobs(await registry).open(origin, blob, signal);
    },
  };
  return async () => {
    const store = await openStore(settings.root);
    const layers = openLayerStore(store, tasks, remote, () => {});
    return { store, images: new ServedImages(store, layers, signal) };
  };
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
    throw new BuildError("CONFIG_INVALID", `file ${JSON.stringify(file)}: cannot be read (${code})`, { cause });
  }
}
