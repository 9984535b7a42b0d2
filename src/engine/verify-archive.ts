import { type DiffId, type Digest, digestFromHex, digestOf, hexOf } from "../base/digest.ts";
import { BuildError, isBuildError } from "../base/errors.ts";
import type { TaskRunner } from "../base/task.ts";
import { openTree } from "../context/open-tree.ts";
import type { TreeSpec } from "../context/tree-spec.ts";
import { parseImageConfig } from "../image/config-json.ts";
import type { Descriptor } from "../image/descriptor.ts";
import type { ImageConfig } from "../image/image-config.ts";
import { largestConfigBytes, largestManifestBytes, readImageDocument } from "../image/image-document.ts";
import { isImageEntry, parseImageIndex } from "../image/image-index.ts";
import type { ImageProblem, ProblemCode } from "../image/image-problem.ts";
import { parseImageRoot } from "../image/image-root.ts";
import type { Manifest } from "../image/manifest.ts";
import { isLayerType, mediaTypes } from "../image/media-types.ts";
import { formatPlatform, isSamePlatform } from "../image/platform.ts";
import { readAll } from "../layer/file-readers.ts";
import type { FileTree } from "../layer/file-tree.ts";
import { checkLayerBlobTask, type LayerBlobCheckInput } from "../output/check-layer.ts";
import { readDockerArchive } from "../registry/image-archive.ts";
import { deepestIndex } from "../registry/limits.ts";
import { compressionOf } from "../store/blob-format.ts";

const largestMarkerBytes = 64 * 1024;
/** More are not told: an archive that is one big problem stays readable. */
const mostProblems = 1000;

/**
 * Everything that is wrong with the images of an OCI layout or of an archive of `docker save`: each blob is read once.
 * With `isStrict` layers are held to what tsbuild writes. Rejects only when the archive itself cannot be read.
 */
export async function verifyArchive(
  spec: TreeSpec,
  isStrict: boolean,
  tasks: TaskRunner,
  signal: AbortSignal,
): Promise<readonly ImageProblem[]> {
  const archive = new ArchiveCheck(openTree(spec));
  archive.check();
  const found = await Promise.all(
    [...archive.blobs.values()].map(async (blob) => {
      const findings = await tasks.run(checkLayerBlobTask, { ...blob, tree: spec, isStrict }, signal);
      return findings.map(({ code, message }): ImageProblem => ({ code, subject: blob.path, message }));
    }),
  );
  return [...archive.problems, ...found.flat()].slice(0, mostProblems);
}

type ArchivedBlob = Omit<LayerBlobCheckInput, "tree" | "isStrict">;

/** Follows the documents of an archive and collects the blobs they lead to. */
class ArchiveCheck {
  readonly problems: ImageProblem[] = [];
  /** What is to be read whole, by its path. */
  readonly blobs = new Map<string, ArchivedBlob>();
  readonly #tree: FileTree;
  /** Paths of documents and layers that something leads to. */
  readonly #visited = new Set<string>();

  constructor(tree: FileTree) {
    this.#tree = tree;
  }

  check(): void {
    const isLayout = this.#tree.lstat("index.json") !== null;
    const isDocker = this.#tree.lstat("manifest.json") !== null;
    if (isLayout) this.#checkLayout();
    if (isDocker) this.#checkDocker();
    if (!isLayout && !isDocker) this.#problem("LAYOUT", "index.json", "is missing, and so is manifest.json");
  }

  /** OCI image-spec image-layout.md. */
  #checkLayout(): void {
    this.#attempt("oci-layout", "LAYOUT", () => {
      const marker = readImageDocument(this.#read("oci-layout", largestMarkerBytes), largestMarkerBytes, "oci-layout");
      const version = marker.string("imageLayoutVersion");
      if (version !== "1.0.0")
        this.#problem("LAYOUT", "oci-layout", `got version ${JSON.stringify(version.slice(0, 50))}, want "1.0.0"`);
    });
    this.#attempt("index.json", "DOCUMENT", () => {
      const index = parseImageIndex(this.#read("index.json", largestManifestBytes), mediaTypes.ociIndex);
      if (index.manifests.length === 0) this.#problem("LAYOUT", "index.json", "lists no image");
      for (const entry of index.manifests) this.#checkRoot(entry, 0);
    });
    for (const { path, type } of this.#tree.list("blobs/sha256")) {
      if (this.#visited.has(path)) continue;
      const digest = digestNamed(path);
      // What nothing leads to still is what it is called.
      if (type === "file" && digest !== null) this.#addBlob({ path, digest, diffId: null, compression: null });
      else this.#problem("LAYOUT", path, "is no blob");
    }
  }

  /** `manifest.json` of docker's image archives, alone or next to a layout. */
  #checkDocker(): void {
    this.#attempt("manifest.json", "DOCUMENT", () => {
      for (const { config, configBytes, layers } of readDockerArchive(this.#tree).flatMap(
        ({ platforms }) => platforms,
      )) {
        this.#checkHistory(config, digestOf(configBytes));
        for (const { diffId, file } of layers)
          this.#addBlob({ path: file.path, digest: digestNamed(file.path), diffId, compression: null });
      }
    });
  }

  #checkRoot(descriptor: Descriptor, depth: number): void {
    const subject = descriptor.digest;
    if (depth > deepestIndex) {
      this.#problem("DOCUMENT", subject, `is nested deeper than ${deepestIndex} indexes`);
      return;
    }
    this.#attempt(subject, "DOCUMENT", () => {
      const bytes = this.#document(descriptor, largestManifestBytes);
      if (bytes === null || !isImageEntry(descriptor)) return;
      const root = parseImageRoot(bytes, descriptor.mediaType, "manifest");
      if (root.kind === "index") for (const entry of root.index.manifests) this.#checkRoot(entry, depth + 1);
      else this.#checkManifest(root.manifest, descriptor);
    });
  }

  #checkManifest({ config: configDescriptor, layers }: Manifest, { digest, platform }: Descriptor): void {
    const bytes = this.#document(configDescriptor, largestConfigBytes);
    const config = bytes === null ? null : this.#config(bytes, configDescriptor.digest);
    for (const [at, layer] of layers.entries()) this.#checkLayer(layer, config?.diffIds[at] ?? null);
    if (config === null) return;
    const { diffIds } = config;
    if (diffIds.length !== layers.length)
      this.#problem("LAYER_COUNT", digest, `got ${layers.length} layers, want ${diffIds.length} as there are diffIDs`);
    if (platform !== undefined && !isSamePlatform(platform, config.platform)) {
      const [got, want] = [formatPlatform(platform), formatPlatform(config.platform)];
      this.#problem("PLATFORM", digest, `got ${got}, want ${want} as the config has`);
    }
  }

  #config(bytes: Uint8Array, digest: Digest): ImageConfig | null {
    let config: ImageConfig | null = null;
    this.#attempt(digest, "DOCUMENT", () => {
      config = parseImageConfig(bytes, "config");
      this.#checkHistory(config, digest);
    });
    return config;
  }

  #checkHistory(config: ImageConfig, digest: Digest): void {
    const problem = historyProblem(config);
    if (problem !== null) this.#problem("HISTORY_COUNT", digest, problem);
  }

  #checkLayer({ digest, size, mediaType }: Descriptor, diffId: DiffId | null): void {
    const isLayer = isLayerType(mediaType);
    if (!isLayer)
      this.#problem("MEDIA_TYPE", digest, `${JSON.stringify(mediaType.slice(0, 200))} is not that of a layer`);
    const path = blobPath(digest);
    this.#visited.add(path);
    if (this.#isThere(digest, size))
      this.#addBlob({ path, digest, diffId, compression: isLayer ? compressionOf(mediaType) : null });
  }

  /** However often a blob is named, it is read once. */
  #addBlob(blob: ArchivedBlob): void {
    const known = this.blobs.get(blob.path);
    const isOther =
      known !== undefined && known.diffId !== null && blob.diffId !== null && known.diffId !== blob.diffId;
    if (isOther) this.#problem("DIFF_ID", blob.path, `stands for ${known.diffId} and for ${blob.diffId}`);
    if (known === undefined || known.diffId === null) this.blobs.set(blob.path, blob);
  }

  /** The bytes of a blob that is read at once; null when it is not there or not what it should be. */
  #document({ digest, size }: Descriptor, limitBytes: number): Uint8Array | null {
    const path = blobPath(digest);
    if (!this.#isThere(digest, size) || this.#visited.has(path)) return null;
    this.#visited.add(path);
    const bytes = this.#read(path, limitBytes);
    const got = digestOf(bytes);
    if (got === digest) return bytes;
    this.#problem("BLOB_DIGEST", digest, `got ${got}`);
    return null;
  }

  #isThere(digest: Digest, size: number): boolean {
    const entry = this.#tree.lstat(blobPath(digest));
    if (entry?.type !== "file")
      this.#problem("BLOB_MISSING", digest, entry === null ? "is missing" : "is no regular file");
    else if (entry.size !== size) this.#problem("BLOB_SIZE", digest, `got ${entry.size} bytes, want ${size}`);
    return entry?.type === "file";
  }

  /** Throws SOURCE_INVALID for what is no file, or too large. */
  #read(path: string, limitBytes: number): Uint8Array {
    const entry = this.#tree.lstat(path);
    if (entry?.type !== "file") throw new BuildError("SOURCE_INVALID", `${path}: missing, or no regular file`);
    if (entry.size <= limitBytes) return readAll(this.#tree.open(entry), limitBytes);
    throw new BuildError("SOURCE_INVALID", `${path}: got ${entry.size} bytes, want at most ${limitBytes}`);
  }

  #attempt(subject: string, code: ProblemCode, work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!isBuildError(error)) throw error;
      this.#problem(code, subject, error.message);
    }
  }

  #problem(code: ProblemCode, subject: string, message: string): void {
    if (this.problems.length < mostProblems) this.problems.push({ code, subject, message });
  }
}

const blobPath = (digest: Digest): string => `blobs/sha256/${hexOf(digest)}`;

/** The digest a blob's path promises; null for a path that promises none. */
function digestNamed(path: string): Digest | null {
  const hex = /^blobs\/sha256\/([0-9a-f]{64})$/.exec(path)?.[1];
  return hex === undefined ? null : digestFromHex(hex);
}

/** What does not pair in a config; null when all is well. A config may do without history. */
export function historyProblem({ history, diffIds }: ImageConfig): string | null {
  const rows = history.filter(({ emptyLayer }) => !emptyLayer).length;
  return history.length === 0 || rows === diffIds.length
    ? null
    : `got ${rows} rows with a layer, want ${diffIds.length} as there are diffIDs`;
}
