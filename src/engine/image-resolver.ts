import type { DiffId, Digest } from "../base/digest.ts";
import { BuildError, isBuildError, withFacts } from "../base/errors.ts";
import type { SourceLocation } from "../base/source-location.ts";
import { parseImageConfig } from "../image/config-json.ts";
import { largestConfigBytes, largestManifestBytes } from "../image/image-document.ts";
import { parseImageRoot } from "../image/image-root.ts";
import { parseOciLayoutReference } from "../image/oci-layout.ts";
import { formatPlatform, type Platform, selectPlatform } from "../image/platform.ts";
import { formatReference, parseReference, type Reference } from "../image/reference.ts";
import type { BuildGraph } from "../plan/build-graph.ts";
import type { ResolvedImage as PlannedImage } from "../plan/plan-input.ts";
import { type ImageSource, layoutSource, registrySource } from "../registry/image-source.ts";
import { type ResolvedImage, resolveImage } from "../registry/pull-image.ts";
import type { RegistryClient } from "../registry/registry-client.ts";
import type { LayerStore } from "../store/layer-store.ts";
import type { Store } from "../store/open-store.ts";

/** Finds base images: in the own store, under a pin of an earlier build, in a registry, in an OCI layout. */
export class ImageResolver {
  readonly #store: Store;
  readonly #layers: LayerStore;
  readonly #registry: () => Promise<RegistryClient>;
  readonly #pull: boolean;
  readonly #layersOfImages = new Map<Digest, readonly DiffId[]>();
  readonly #manifestsOfBlobs = new Map<string, Digest>();
  readonly #resolved = new Map<string, Promise<PlannedImage>>();

  /** With `pull` the registry is asked even for what the store knows. */
  constructor(store: Store, layers: LayerStore, registry: () => Promise<RegistryClient>, pull: boolean) {
    this.#store = store;
    this.#layers = layers;
    this.#registry = registry;
    this.#pull = pull;
  }

  /** diffIDs of an image this resolver returned, by its `manifest`. */
  layersOf(manifest: Digest): readonly DiffId[] {
    const diffIds = this.#layersOfImages.get(manifest);
    if (diffIds === undefined) throw new BuildError("INTERNAL", `image ${manifest} was not resolved`);
    return diffIds;
  }

  /** The vertex of the image that a layer's blob belongs to; null when there is none. */
  vertexOf(blob: string, graph: BuildGraph): string | null {
    const manifest = this.#manifestsOfBlobs.get(blob);
    const owner = graph.vertices.find(({ spec }) => spec.kind === "image" && spec.manifest === manifest);
    return manifest === undefined ? null : (owner?.id ?? null);
  }

  /** The image a reference means for a platform: manifest and config, no layers. */
  async resolve(
    text: string,
    platform: Platform,
    location: SourceLocation | null,
    signal: AbortSignal,
  ): Promise<PlannedImage> {
    const reference = parseReference(text);
    const key = `${formatReference(reference)} ${formatPlatform(platform)}`;
    const known = this.#resolved.get(key);
    if (known !== undefined) return known;
    const resolving = this.#find(reference, platform, signal).catch((error: unknown) => {
      throw isBuildError(error) && location !== null ? withFacts(error, { location }) : error;
    });
    this.#resolved.set(key, resolving);
    return resolving;
  }

  /** The image of an OCI layout, as `oci-layout://path[:tag][@digest]` names it. */
  async resolveLayout(text: string, platform: Platform, signal: AbortSignal): Promise<PlannedImage> {
    const { directory, tag, digest } = parseOciLayoutReference(text);
    const image = await resolveImage(layoutSource(directory, tag, digest), platform, signal);
    return this.#take(image, text);
  }

  async #find(reference: Reference, platform: Platform, signal: AbortSignal): Promise<PlannedImage> {
    if (!this.#pull) {
      const here = (await this.#fromStore(reference, platform)) ?? (await this.#fromPin(reference, platform));
      if (here !== null) return here;
    }
    const source: ImageSource = registrySource(await this.#registry(), this.#store.blobs, reference);
    const image = await resolveImage(source, platform, signal);
    const planned = await this.#take(image, formatReference(reference));
    await this.#store.pins.save({
      reference: formatReference(reference),
      platform: formatPlatform(platform),
      digest: image.root.digest,
      manifest: image.manifest.digest,
      imageId: image.imageId,
      resolvedAtMs: Date.now(),
    });
    return planned;
  }

  async #take(image: ResolvedImage, reference: string): Promise<PlannedImage> {
    await Promise.all(image.layers.map(({ diffId, blob }) => this.#layers.addRemote(diffId, blob, image.origin)));
    for (const { blob } of image.layers) this.#manifestsOfBlobs.set(blob.digest, image.manifest.digest);
    const diffIds = image.layers.map(({ diffId }) => diffId);
    this.#layersOfImages.set(image.manifest.digest, diffIds);
    return { reference, manifest: image.manifest.digest, config: image.config, hasLayers: diffIds.length > 0 };
  }

  /** An image that was built or tagged here; it has no manifest before it leaves, so its config stands for it. */
  async #fromStore(reference: Reference, platform: Platform): Promise<PlannedImage | null> {
    if (reference.digest !== null) return null;
    const name = formatReference(reference);
    const image = await this.#store.images.get(name);
    if (image === null) return null;
    const { imageId, diffIds } = selectPlatform(image.platforms, platform, name);
    const config = parseImageConfig(
      await this.#store.blobs.readBytes(imageId, largestConfigBytes),
      `config of ${name}`,
    );
    this.#layersOfImages.set(imageId, diffIds);
    return { reference: name, manifest: imageId, config, hasLayers: diffIds.length > 0 };
  }

  /** What the reference meant last time; null when that is not known, or not all here any more. */
  async #fromPin(reference: Reference, platform: Platform): Promise<PlannedImage | null> {
    const name = formatReference(reference);
    const pin = await this.#store.pins.find(name, formatPlatform(platform));
    if (pin === null) return null;
    try {
      const bytes = await this.#store.blobs.readBytes(pin.manifest, largestManifestBytes);
      const root = parseImageRoot(bytes, null, `manifest of ${name}`);
      if (root.kind !== "manifest") return null;
      const config = parseImageConfig(
        await this.#store.blobs.readBytes(pin.imageId, largestConfigBytes),
        `config of ${name}`,
      );
      const there = await Promise.all(config.diffIds.map((diffId) => this.#layers.has(diffId)));
      if (there.includes(false)) return null;
      this.#layersOfImages.set(pin.manifest, config.diffIds);
      return { reference: name, manifest: pin.manifest, config, hasLayers: config.diffIds.length > 0 };
    } catch (error) {
      // A pin is a shortcut: what is wrong with it, the registry can tell again.
      if (isBuildError(error)) return null;
      throw error;
    }
  }
}
