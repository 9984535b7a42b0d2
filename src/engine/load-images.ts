import { statSync } from "node:fs";
import { join, resolve } from "node:path";
import { type Digest, digestOf } from "../base/digest.ts";
import { BuildError, isBuildError } from "../base/errors.ts";
import { openTree } from "../context/open-tree.ts";
import { spoolToFile } from "../context/spool-file.ts";
import { openTarContextTask } from "../context/tar-context.ts";
import type { TreeSpec } from "../context/tree-spec.ts";
import type { Entry } from "../layer/entry.ts";
import type { FileTree } from "../layer/file-tree.ts";
import { type ArchivedImage, readImageArchive } from "../registry/image-archive.ts";
import type { StoredPlatformImage } from "../store/image-store.ts";
import type { ImageWorkshop } from "./image-workshop.ts";

/** The most an archive may have, in bytes. */
export const maximumArchiveBytes = 64 * 2 ** 30;
const chunkBytes = 1 << 20;

/** What became of one image of an archive. */
export interface LoadedImage {
  /** Full references it got. */
  readonly names: readonly string[];
  readonly imageIds: readonly Digest[];
}

/**
 * Takes the images of `source` into the store: a file, a directory with an OCI layout, or "-" for `stdin`. All layers are
 * verified before the first image gets a name. `nameless` is what an image is called that has no name; null for nothing.
 */
export async function loadImages(
  source: string,
  stdin: AsyncIterable<Uint8Array>,
  nameless: string | null,
  workshop: ImageWorkshop,
  signal: AbortSignal,
): Promise<readonly LoadedImage[]> {
  const { store, layers } = workshop;
  const tree = openTree(await openArchive(source, stdin, "image archive", workshop, signal));
  const images = readImageArchive(tree);
  if (nameless !== null && images.filter(({ names }) => names.length === 0).length > 1)
    throw new BuildError("USAGE_INVALID", `--tag ${JSON.stringify(nameless)}: several images have no name`);
  for (const { platforms } of images) {
    for (const { diffId, file, digest } of platforms.flatMap((platform) => platform.layers)) {
      const blob = { digest: digest ?? tree.digest(file), size: file.size };
      await layers.importBlob(diffId, blob, () => contentOf(tree, file), signal);
    }
  }
  const loaded: LoadedImage[] = [];
  for (const image of images) {
    const platforms = await Promise.all(image.platforms.map((one) => storeConfig(one, workshop)));
    const names = image.names.length > 0 || nameless === null ? image.names : [nameless];
    const stored = { platforms, createdAtMs: Date.now(), manifests: image.manifests };
    for (const name of names) await store.images.tag(name, stored);
    loaded.push({ names, imageIds: platforms.map(({ imageId }) => imageId) });
  }
  return loaded;
}

async function storeConfig(
  { configBytes, config, annotations }: ArchivedImage["platforms"][number],
  { store }: ImageWorkshop,
): Promise<StoredPlatformImage> {
  await store.blobs.putBytes(configBytes);
  return { platform: config.platform, imageId: digestOf(configBytes), diffIds: config.diffIds, annotations };
}

/**
 * What lies in an archive, plain or compressed with gzip, bzip2, xz or zstd; nothing is unpacked. `what` names it for
 * messages. Throws SOURCE_NOT_FOUND, SOURCE_INVALID.
 */
export async function openArchive(
  source: string,
  stdin: AsyncIterable<Uint8Array>,
  what: string,
  { layers, tasks }: ImageWorkshop,
  signal: AbortSignal,
): Promise<TreeSpec> {
  const subject = `${what} ${JSON.stringify(source)}`;
  const directory = await layers.makeTemporary();
  let file = join(directory, "archive");
  if (source === "-") await spoolToFile(stdin, file, maximumArchiveBytes, `${what} on stdin`, signal);
  else {
    file = resolve(source);
    const stat = statSync(file, { throwIfNoEntry: false });
    if (stat === undefined) throw new BuildError("SOURCE_NOT_FOUND", `${subject}: no such file`);
    if (stat.isDirectory()) return { kind: "directory", root: file, ignore: [], ignoreFile: null, statCache: null };
    if (!stat.isFile())
      throw new BuildError("SOURCE_INVALID", `${subject}: want a file`, { hint: "pipe it into stdin" });
  }
  try {
    const opened = await tasks.run(openTarContextTask, { file, directory }, signal);
    if (opened.kind === "tree") return opened.tree;
  } catch (error) {
    if (!isBuildError(error, "CONTEXT_INVALID") && !isBuildError(error, "DOCKERFILE_TOO_LARGE")) throw error;
    if (isBuildError(error.cause))
      throw new BuildError("SOURCE_INVALID", `${subject}: ${error.cause.message}`, { cause: error.cause });
  }
  throw new BuildError("SOURCE_INVALID", `${subject}: is no tar`);
}

async function* contentOf(tree: FileTree, file: Entry): AsyncGenerator<Uint8Array> {
  const reader = tree.open(file);
  try {
    for (;;) {
      const chunk = Buffer.allocUnsafe(chunkBytes);
      const got = reader.read(chunk);
      if (got === 0) return;
      yield chunk.subarray(0, got);
    }
  } finally {
    reader.close();
  }
}
