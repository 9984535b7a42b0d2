import type { Digest } from "../base/digest.ts";
import { isBuildError } from "../base/errors.ts";
import { familiarReference, formatReference, parseReference, type Reference } from "../image/reference.ts";
import type { OciImage } from "../output/oci-image.ts";
import { storedOciImage, usualOciOptions } from "../output/stored-oci-image.ts";
import type { BlobIdentity } from "../store/blob-store.ts";
import type { StoredImage } from "../store/image-store.ts";
import type { LayerStore } from "../store/layer-store.ts";
import type { Store } from "../store/open-store.ts";
import type { ManifestName } from "./registry-route.ts";
import { isRepositoryName } from "./registry-route.ts";

/** A manifest that is ready to be read from the blob store. */
export interface ServedManifest extends BlobIdentity {
  readonly mediaType: string;
}

/**
 * The images of a store as repositories: `docker.io/library/app:1` is tag `1` of `app`, `ghcr.io/ns/app:1` of
 * `ghcr.io/ns/app`. Layers are fetched or compressed when their image is first asked for. Only for as long as the store
 * is open.
 */
export class ServedImages {
  readonly #store: Store;
  readonly #layers: LayerStore;
  readonly #signal: AbortSignal;
  /** By what their records say: an image that gets other content is another image. */
  readonly #ready = new Map<string, Promise<OciImage>>();

  /** `signal` ends all work. */
  constructor(store: Store, layers: LayerStore, signal: AbortSignal) {
    this.#store = store;
    this.#layers = layers;
    this.#signal = signal;
  }

  /** Names of repositories, each once. */
  async repositories(): Promise<readonly string[]> {
    const names = (await this.#store.images.list()).map(({ reference }) => repositoryNameOf(reference));
    return [...new Set(names.filter((name) => name !== null))];
  }

  /** The image that is a tag of a repository; null when there is none. */
  async image(repository: string, tag: string): Promise<StoredImage | null> {
    const reference = referenceOf(repository, tag);
    return reference === null ? null : this.#store.images.get(formatReference(reference));
  }

  async tags(repository: string): Promise<readonly string[]> {
    return (await this.#imagesOf(repository)).flatMap(({ reference }) => parseReference(reference).tag ?? []);
  }

  /** The manifest of a tag, or one of a digest that an image of the repository has. Throws what compressing throws. */
  async manifest(repository: string, name: ManifestName): Promise<ServedManifest | null> {
    if (name.kind === "tag") {
      const image = await this.image(repository, name.tag);
      return image === null ? null : (await this.#made(image)).root;
    }
    for (const image of await this.#imagesOf(repository)) {
      const made = await this.#madeOrNull(image);
      if (made === null) continue;
      const { root, manifests, attached = [] } = made;
      const found = [root, ...manifests.map(({ descriptor }) => descriptor), ...attached].find(
        ({ digest }) => (digest as string) === name.digest,
      );
      if (found !== undefined) return found;
    }
    return null;
  }

  /** A config or layer of an image of the repository. */
  async blob(repository: string, digest: string): Promise<BlobIdentity | null> {
    for (const image of await this.#imagesOf(repository)) {
      const made = await this.#madeOrNull(image);
      const found = made === null ? null : blobOf(made, digest);
      if (found === null) continue;
      if (await this.#store.blobs.has(found)) return found;
      // It was set aside as broken: made again it is another file.
      this.#ready.clear();
      return blobOf(await this.#made(image), digest);
    }
    return null;
  }

  /** References of the images of a repository that have a manifest. */
  async referencesOf(repository: string, digest: string): Promise<readonly string[]> {
    const found: string[] = [];
    for (const image of await this.#imagesOf(repository))
      if (((await this.#madeOrNull(image))?.root.digest as string) === digest) found.push(image.reference);
    return found;
  }

  async #imagesOf(repository: string): Promise<readonly StoredImage[]> {
    const wanted = referenceOf(repository, "latest");
    if (wanted === null) return [];
    return (await this.#store.images.list()).filter(({ reference }) => {
      const parsed = parseReference(reference);
      return parsed.tag !== null && parsed.registry === wanted.registry && parsed.repository === wanted.repository;
    });
  }

  /** Null for an image that cannot be had whole: others of its repository still can. */
  async #madeOrNull(image: StoredImage): Promise<OciImage | null> {
    try {
      return await this.#made(image);
    } catch (error) {
      if (isBuildError(error) && error.code !== "BUILD_CANCELLED") return null;
      throw error;
    }
  }

  #made(image: StoredImage): Promise<OciImage> {
    const key = JSON.stringify([image.reference, image.platforms.map(({ imageId }) => imageId), image.manifests]);
    const known = this.#ready.get(key);
    if (known !== undefined) return known;
    const made = this.#make(image);
    this.#ready.set(key, made);
    made.catch(() => this.#ready.delete(key));
    return made;
  }

  async #make(image: StoredImage): Promise<OciImage> {
    const { blobs } = this.#store;
    const made = await storedOciImage(image, image.platforms, usualOciOptions, blobs, this.#layers, this.#signal);
    for (const bytes of made.documents.values()) await blobs.putBytes(bytes);
    return made;
  }
}

function blobOf({ manifests, layers, documents }: OciImage, digest: string): BlobIdentity | null {
  const config = manifests.find((manifest) => (manifest.config.digest as string) === digest)?.config;
  const layer = layers.find((each) => (each.digest as string) === digest);
  const found = config ?? layer;
  if (found === undefined) return null;
  return { digest: found.digest, size: documents.get(found.digest as Digest)?.length ?? found.size };
}

/** What a repository is called here that references name otherwise; null when no repository can have that name. */
function repositoryNameOf(reference: string): string | null {
  const parsed = parseReference(reference);
  if (parsed.tag === null) return null;
  const name = familiarReference({ ...parsed, tag: "latest", digest: null }).replace(/:latest$/, "");
  return isRepositoryName(name) ? name : null;
}

function referenceOf(repository: string, tag: string): Reference | null {
  try {
    return parseReference(`${repository}:${tag}`);
  } catch (error) {
    if (isBuildError(error, "REFERENCE_INVALID")) return null;
    throw error;
  }
}
