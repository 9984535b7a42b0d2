import type { ProgressSink } from "../base/build-event.ts";
import { BuildError, isBuildError, toWire } from "../base/errors.ts";
import { formatPlatform, isSamePlatform, type Platform } from "../image/platform.ts";
import { formatReference, parseReference } from "../image/reference.ts";
import { registrySource } from "../registry/image-source.ts";
import { type ResolvedImage, resolveImage } from "../registry/pull-image.ts";
import type { RegistryClient } from "../registry/registry-client.ts";
import type { LayerStore } from "../store/layer-store.ts";
import type { Store } from "../store/open-store.ts";
import type { OnTransfer } from "../store/remote-fetcher.ts";
import type { RegistryReceipt } from "./build-request.ts";

/**
 * Brings an image of a registry into the store: every layer is fetched and unpacked, so that it is known to have its
 * diffID, and then the image gets its name. Throws what resolving and fetching throw.
 */
export async function pullImage(
  name: string,
  platforms: readonly Platform[],
  store: Store,
  openLayers: (onTransfer: OnTransfer) => LayerStore,
  client: RegistryClient,
  sink: ProgressSink,
  signal: AbortSignal,
): Promise<RegistryReceipt> {
  const reference = parseReference(name);
  const full = formatReference(reference);
  const vertex = `pull ${full}`;
  const layers = openLayers((progress) => sink.emit({ kind: "transfer", atMs: Date.now(), vertex, ...progress }));
  sink.emit({ kind: "plan", atMs: Date.now(), vertices: [{ id: vertex, name: `[pull] ${full}`, location: null }] });
  sink.emit({ kind: "started", atMs: Date.now(), vertex });
  try {
    const source = registrySource(client, store.blobs, reference);
    const images: ResolvedImage[] = [];
    for (const platform of platforms) {
      const image = await resolveImage(source, platform, signal);
      notePlatform(image, platform, vertex, sink);
      if (!images.some(({ imageId }) => imageId === image.imageId)) images.push(image);
    }
    for (const { layers: wanted, origin } of images)
      await Promise.all(wanted.map(({ diffId, blob }) => layers.addRemote(diffId, blob, origin)));
    const diffIds = new Set(images.flatMap((image) => image.layers.map(({ diffId }) => diffId)));
    await Promise.all([...diffIds].map((diffId) => layers.readable(diffId, signal)));
    const digest = images[0]?.root.digest;
    if (digest === undefined) throw new BuildError("INTERNAL", `${full}: no platform to pull`);
    await store.images.tag(full, {
      platforms: images.map(({ config, imageId }) => ({
        platform: config.platform,
        imageId,
        diffIds: config.diffIds,
        annotations: new Map(),
      })),
      createdAtMs: Date.now(),
      manifests: [...new Set([digest, ...images.map(({ manifest }) => manifest.digest)])],
    });
    sink.emit({ kind: "completed", atMs: Date.now(), vertex });
    return { reference: full.replace(/@.*$/, ""), digest };
  } catch (error) {
    if (isBuildError(error, "BUILD_CANCELLED")) sink.emit({ kind: "cancelled", atMs: Date.now(), vertex });
    else sink.emit({ kind: "failed", atMs: Date.now(), vertex, error: toWire(error) });
    throw error;
  }
}

function notePlatform({ config }: ResolvedImage, wanted: Platform, vertex: string, sink: ProgressSink): void {
  if (isSamePlatform(config.platform, wanted)) return;
  const line = `the image is for ${formatPlatform(config.platform)}, want ${formatPlatform(wanted)}`;
  sink.emit({ kind: "log", atMs: Date.now(), vertex, stream: "stderr", line });
}
