import { type DiffId, type Digest, digestOf, hexOf, parseDigest } from "../base/digest.ts";
import { BuildError, isBuildError } from "../base/errors.ts";
import { parseImageConfig } from "../image/config-json.ts";
import type { Descriptor } from "../image/descriptor.ts";
import type { ImageConfig } from "../image/image-config.ts";
import { largestConfigBytes, largestManifestBytes, readImageDocument } from "../image/image-document.ts";
import { isImageEntry, parseImageIndex } from "../image/image-index.ts";
import { type ImageRoot, parseImageRoot } from "../image/image-root.ts";
import { JsonReader } from "../image/json-reader.ts";
import { mediaTypes } from "../image/media-types.ts";
import { formatReference, parseReference } from "../image/reference.ts";
import { parseJsonObjects } from "../image/strict-json.ts";
import type { Entry } from "../layer/entry.ts";
import { readAll } from "../layer/file-readers.ts";
import type { FileTree } from "../layer/file-tree.ts";
import { resolveInTree } from "../layer/resolve-path.ts";
import { deepestIndex } from "./limits.ts";

/** A layer of an archive; its content was not read. */
export interface ArchivedLayer {
  readonly diffId: DiffId;
  /** The file of the archive that is the layer's blob. */
  readonly file: Entry;
  /** What the archive says the blob's digest is; null where it says none. */
  readonly digest: Digest | null;
}

/** One platform of an image in an archive. */
export interface ArchivedPlatform {
  /** Exact bytes of the config; their digest was compared with what the archive promises. */
  readonly configBytes: Uint8Array;
  readonly config: ImageConfig;
  /** Lowest first, as many as the config has diffIDs. */
  readonly layers: readonly ArchivedLayer[];
  readonly annotations: ReadonlyMap<string, string>;
}

export interface ArchivedImage {
  /** Full references; empty when the archive names none. */
  readonly names: readonly string[];
  readonly platforms: readonly ArchivedPlatform[];
  /** Digests of manifest and index; none in docker's own format. */
  readonly manifests: readonly Digest[];
}

const imageNameKey = "io.containerd.image.name";
const refNameKey = "org.opencontainers.image.ref.name";
/** Images an archive may hold. */
const mostImages = 1000;

/**
 * The images of an archive or directory: an OCI layout, or what `docker save` wrote (`manifest.json`). Nothing outside of
 * `tree` is ever looked at. Manifests and configs are verified, layers are left to whoever reads them. Throws
 * SOURCE_INVALID when the tree is neither, IMAGE_INVALID, BLOB_DIGEST_MISMATCH, BLOB_NOT_FOUND, BLOB_TOO_LARGE.
 */
export function readImageArchive(tree: FileTree): readonly ArchivedImage[] {
  const isLayout = tree.lstat("oci-layout") !== null && tree.lstat("index.json") !== null;
  if (!isLayout && tree.lstat("manifest.json") === null)
    throw new BuildError("SOURCE_INVALID", "image archive: has neither index.json nor manifest.json", {
      hint: "want an archive of docker save or an OCI layout; a file system is read by tsbuild import",
    });
  const images = isLayout ? new LayoutReader(tree).images() : readDockerArchive(tree);
  if (images.length === 0) throw new BuildError("IMAGE_INVALID", "image archive: holds no image");
  return images;
}

/** OCI image-spec image-layout.md. */
class LayoutReader {
  readonly #tree: FileTree;

  constructor(tree: FileTree) {
    this.#tree = tree;
  }

  images(): readonly ArchivedImage[] {
    const marker = readFile(this.#tree, "oci-layout", 64 * 1024);
    const version = readImageDocument(marker, 64 * 1024, "oci-layout").string("imageLayoutVersion");
    if (!version.startsWith("1."))
      throw new BuildError(
        "SOURCE_INVALID",
        `oci-layout: got version ${JSON.stringify(version.slice(0, 50))}, want 1.x`,
      );
    const bytes = readFile(this.#tree, "index.json", largestManifestBytes);
    const roots = parseImageIndex(bytes, mediaTypes.ociIndex, "index.json").manifests.filter(isImageEntry);
    const namesOf = new Map<Digest, Set<string>>();
    for (const root of roots) {
      const names = namesOf.get(root.digest) ?? new Set();
      const name = nameOf(root);
      namesOf.set(root.digest, name === null ? names : names.add(name));
    }
    checkCount(namesOf.size);
    return [...namesOf].map(([digest, names]) => {
      const root = roots.find((entry) => entry.digest === digest) as Descriptor;
      const manifests: Digest[] = [];
      const platforms = this.#platformsOf(root, 0, manifests);
      if (platforms.length === 0) throw new BuildError("IMAGE_INVALID", `index ${digest}: none of its images is here`);
      return { names: [...names], platforms, manifests };
    });
  }

  #platformsOf(descriptor: Descriptor, depth: number, manifests: Digest[]): readonly ArchivedPlatform[] {
    if (depth > deepestIndex) throw new BuildError("IMAGE_INVALID", `index: nested deeper than ${deepestIndex}`);
    const root: ImageRoot = parseImageRoot(
      this.#blob(descriptor, largestManifestBytes),
      descriptor.mediaType,
      `manifest ${descriptor.digest}`,
    );
    manifests.push(descriptor.digest);
    if (manifests.length > mostImages) throw tooMany(manifests.length);
    if (root.kind === "index") {
      // An archive of one platform may come with the whole index.
      const here = root.index.manifests.filter((entry) => isImageEntry(entry) && this.#has(entry));
      return here.flatMap((entry) => this.#platformsOf(entry, depth + 1, manifests));
    }
    const { manifest } = root;
    const configBytes = this.#blob(manifest.config, largestConfigBytes);
    const config = parseImageConfig(configBytes, `config ${manifest.config.digest}`);
    checkPairs(config, manifest.layers.length, descriptor.digest);
    const layers = config.diffIds.map((diffId, at) => {
      const blob = manifest.layers[at] as Descriptor;
      return { diffId, file: this.#file(blob), digest: blob.digest };
    });
    return [{ configBytes, config, layers, annotations: manifest.annotations }];
  }

  #blob(descriptor: Descriptor, limitBytes: number): Uint8Array {
    const bytes = readAll(this.#tree.open(withinLimit(this.#file(descriptor), limitBytes)), limitBytes);
    const got = digestOf(bytes);
    if (got !== descriptor.digest)
      throw new BuildError("BLOB_DIGEST_MISMATCH", `blob ${descriptor.digest}: got ${got}`);
    return bytes;
  }

  #has(descriptor: Descriptor): boolean {
    return this.#tree.lstat(blobPath(descriptor)) !== null;
  }

  #file(descriptor: Descriptor): Entry {
    const file = regularFile(this.#tree, blobPath(descriptor));
    if (file.size === descriptor.size) return file;
    throw new BuildError(
      "BLOB_DIGEST_MISMATCH",
      `blob ${descriptor.digest}: got ${file.size} bytes, want ${descriptor.size}`,
    );
  }
}

const blobPath = ({ digest }: Descriptor): string => `blobs/sha256/${hexOf(digest)}`;

/** The name containerd and docker give, else a ref.name that is more than a tag; null for none. */
function nameOf({ annotations }: Descriptor): string | null {
  const text = annotations?.[imageNameKey] ?? annotations?.[refNameKey];
  if (text === undefined || !/[/:]/.test(text)) return null;
  return nameFrom(text);
}

/**
 * The images of `manifest.json` of docker's image archives; its files may be links to each other, as older versions of
 * docker made them. Throws as `readImageArchive` does.
 */
export function readDockerArchive(tree: FileTree): readonly ArchivedImage[] {
  const failure = (problem: string): BuildError => new BuildError("IMAGE_INVALID", `manifest.json: ${problem}`);
  const bytes = readFile(tree, "manifest.json", largestManifestBytes);
  const entries = parseJsonObjects(bytes, largestManifestBytes, failure);
  checkCount(entries.length);
  return entries.map((entry, at) => {
    const reader = new JsonReader(entry, `[${at}]`, failure);
    const configPath = reader.string("Config");
    const configBytes = readFile(tree, resolveInArchive(tree, configPath), largestConfigBytes);
    checkNamedDigest(configPath, configBytes);
    const config = parseImageConfig(configBytes, `config ${JSON.stringify(configPath.slice(0, 200))}`);
    const paths = reader.optionalStrings("Layers") ?? [];
    checkPairs(config, paths.length, `[${at}]`);
    const layers = config.diffIds.map((diffId, at) => {
      const file = regularFile(tree, resolveInArchive(tree, paths[at] as string));
      return { diffId, file, digest: null };
    });
    const names = (reader.optionalStrings("RepoTags") ?? []).map(nameFrom);
    return {
      names: [...new Set(names)],
      platforms: [{ configBytes, config, layers, annotations: new Map() }],
      manifests: [],
    };
  });
}

/** Files are called by their digest (`<hex>.json`, `blobs/sha256/<hex>`): who names one, is held to it. */
function checkNamedDigest(path: string, bytes: Uint8Array): void {
  const hex = /(?:^|\/)([0-9a-f]{64})(?:\.json)?$/.exec(path)?.[1];
  if (hex === undefined) return;
  const [want, got] = [parseDigest(`sha256:${hex}`), digestOf(bytes)];
  if (got !== want) throw new BuildError("BLOB_DIGEST_MISMATCH", `config ${want}: got ${got}`);
}

function nameFrom(text: string): string {
  const reference = parseReference(text);
  return formatReference({ ...reference, tag: reference.tag ?? "latest", digest: null });
}

function resolveInArchive(tree: FileTree, path: string): string {
  try {
    return resolveInTree(tree, path, "all");
  } catch (error) {
    if (!isBuildError(error, "CONTEXT_INVALID")) throw error;
    throw new BuildError("SOURCE_INVALID", `image archive: ${error.message}`, { cause: error });
  }
}

function readFile(tree: FileTree, path: string, limitBytes: number): Uint8Array {
  return readAll(tree.open(withinLimit(regularFile(tree, path), limitBytes)), limitBytes);
}

function regularFile(tree: FileTree, path: string): Entry {
  const entry = tree.lstat(path);
  const shown = JSON.stringify(path.slice(0, 200));
  if (entry === null) throw new BuildError("BLOB_NOT_FOUND", `image archive: ${shown} is missing`);
  if (entry.type !== "file") throw new BuildError("SOURCE_INVALID", `image archive: ${shown} is no regular file`);
  return entry;
}

function withinLimit(file: Entry, limitBytes: number): Entry {
  if (file.size <= limitBytes) return file;
  throw new BuildError(
    "BLOB_TOO_LARGE",
    `image archive: ${JSON.stringify(file.path)} has ${file.size} bytes, want at most ${limitBytes}`,
  );
}

function checkPairs(config: ImageConfig, layerCount: number, subject: string): void {
  if (config.diffIds.length !== layerCount)
    throw new BuildError(
      "IMAGE_INVALID",
      `image ${subject}: got ${config.diffIds.length} diffIDs, want ${layerCount} as there are layers`,
    );
}

function checkCount(count: number): void {
  if (count > mostImages) throw tooMany(count);
}

const tooMany = (count: number): BuildError =>
  new BuildError("IMAGE_INVALID", `image archive: got ${count} images, want at most ${mostImages}`);
