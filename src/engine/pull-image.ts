import type { ProgressSink } from "../base/build-event.ts";
import type { Digest } from "../base/digest.ts";
import { isBuildError, toWire } from "../base/errors.ts";
import type { Descriptor } from "../image/descriptor.ts";
import { isImageEntry } from "../image/image-index.ts";
import { formatPlatform, isSamePlatform, type Platform } from "../image/platform.ts";
import { formatReference, parseReference } from "../image/reference.ts";
import { fetchAttached } from "../registry/attached-manifests.ts";
import { type ImageSource, registrySource } from "../registry/image-source.ts";
import { type ResolvedImage, resolveAll, resolveImage } from "../registry/pull-image.ts";
import type { FetchedManifest, RegistryClient } from "../registry/registry-client.ts";
import type { BlobStore } from "../store/blob-store.ts";
import type { LayerStore } from "../store/layer-store.ts";
import type { Store } from "../store/open-store.ts";
import type { OnTransfer } from "../store/remote-fetcher.ts";
import type { RegistryReceipt } from "./build-request.ts";

/**
 * Brings an image of a registry into the store: every layer is fetched and unpacked, so that it is known to have its
 * diffID, and then the image gets its name. When all images of an index are wanted, what else it names comes too, so that
 * it can be pushed as it is. Throws what resolving and fetching throw.
 */
export async function pullImage(
  name: string,
  platforms: readonly Platform[] | "all",
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
    const registry = registrySource(client, store.blobs, reference);
    const root = await registry.resolve(signal);
    // Asked once: the tag may move meanwhile, and all that is pulled has to belong together.
    const source: ImageSource = { ...registry, resolve: async () => root };
    const note = (line: string): void => sink.emit({ kind: "log", atMs: Date.now(), vertex, stream: "stderr", line });
    const images =
      platforms === "all" ? await resolveAll(source, signal) : await resolveEach(source, platforms, note, signal);
    for (const { layers: wanted, origin } of images)
      await Promise.all(wanted.map(({ diffId, blob }) => layers.addRemote(diffId, blob, origin)));
    const diffIds = new Set(images.flatMap((image) => image.layers.map(({ diffId }) => diffId)));
    await Promise.all([...diffIds].map((diffId) => layers.readable(diffId, signal)));
    const open = (blob: Descriptor): Promise<AsyncIterable<Uint8Array>> => client.openBlob(reference, blob, signal);
    const attachments = await attachmentsOf(root, images, source, store.blobs, open, note, signal);
    const { digest } = root.descriptor;
    await store.images.tag(full, {
      platforms: images.map(({ config, imageId }) => ({
        platform: config.platform,
        imageId,
        diffIds: config.diffIds,
        annotations: new Map(),
      })),
      createdAtMs: Date.now(),
      manifests: [...new Set([digest, ...images.map(({ manifest }) => manifest.digest)])],
      attachments,
    });
    sink.emit({ kind: "completed", atMs: Date.now(), vertex });
    return { reference: full.replace(/@.*$/, ""), digest };
  } catch (error) {
    if (isBuildError(error, "BUILD_CANCELLED")) sink.emit({ kind: "cancelled", atMs: Date.now(), vertex });
    else sink.emit({ kind: "failed", atMs: Date.now(), vertex, error: toWire(error) });
    throw error;
  }
}

async function resolveEach(
  source: ImageSource,
  platforms: readonly Platform[],
  note: (line: string) => void,
  signal: AbortSignal,
): Promise<readonly ResolvedImage[]> {
  const images: ResolvedImage[] = [];
  for (const platform of platforms) {
    const image = await resolveImage(source, platform, signal);
    if (!isSamePlatform(image.config.platform, platform))
      note(`the image is for ${formatPlatform(image.config.platform)}, want ${formatPlatform(platform)}`);
    if (!images.some(({ imageId }) => imageId === image.imageId)) images.push(image);
  }
  return images;
}

/** What an index that was pulled as a whole names besides images. That it cannot be had is no reason not to pull. */
export async function attachmentsOf(
  { root }: FetchedManifest,
  images: readonly ResolvedImage[],
  source: ImageSource,
  blobs: BlobStore,
  open: (blob: Descriptor) => Promise<AsyncIterable<Uint8Array>>,
  note: (line: string) => void,
  signal: AbortSignal,
): Promise<readonly Digest[]> {
  if (root.kind !== "index") return [];
  const here = new Set(images.map(({ manifest }) => manifest.digest));
  const entries = root.index.manifests;
  if (entries.some((entry) => isImageEntry(entry) && !here.has(entry.digest))) return [];
  try {
    return await fetchAttached(
      source,
      entries.filter((entry) => !isImageEntry(entry)),
      blobs,
      open,
      signal,
    );
  } catch (error) {
    if (!isBuildError(error) || error.code === "BUILD_CANCELLED") throw error;
    note(`the images come without what their index names besides: ${error.message}`);
    return [];
  }
}
