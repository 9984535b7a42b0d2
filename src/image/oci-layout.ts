import { constants } from "node:fs";
import { type FileHandle, lstat, open } from "node:fs/promises";
import { join } from "node:path";
import { type Digest, digestOf, hexOf } from "../base/digest.ts";
import { BuildError, isBuildError } from "../base/errors.ts";
import type { Descriptor } from "./descriptor.ts";
import { largestManifestBytes, readImageDocument } from "./image-document.ts";
import { type ImageIndex, isImageEntry, parseImageIndex } from "./image-index.ts";
import { mediaTypes } from "./media-types.ts";
import { parseReference } from "./reference.ts";

/** An OCI image layout (OCI image-spec image-layout.md) on this machine. Its content is not trusted. */
export interface OciLayout {
  readonly directory: string;
  readonly index: ImageIndex;
  /** Exact bytes of index.json. */
  readonly indexBytes: Uint8Array;
}

/** Which image of a layout is meant. */
export interface OciLayoutReference {
  readonly directory: string;
  readonly tag: string | null;
  readonly digest: Digest | null;
}

const scheme = "oci-layout://";
const refNameKey = "org.opencontainers.image.ref.name";

/** Parses `oci-layout://path[:tag][@digest]`. Throws REFERENCE_INVALID. */
export function parseOciLayoutReference(text: string): OciLayoutReference {
  const rest = text.startsWith(scheme) ? text.slice(scheme.length) : text;
  const [, directory = "", suffix = ""] = /^(.*?)((?::[\w][\w.-]*)?(?:@\w+:[^/]*)?)$/s.exec(rest) ?? [];
  if (directory === "" || directory.includes("\0")) {
    throw new BuildError("REFERENCE_INVALID", `OCI layout ${JSON.stringify(text.slice(0, 200))}: path is missing`, {
      hint: "write it like oci-layout://path/to/layout:tag",
    });
  }
  const { tag, digest } = parseReference(`layout${suffix}`);
  return { directory, tag: suffix.startsWith(":") ? tag : null, digest };
}

/** Opens the layout in `directory`. Throws SOURCE_NOT_FOUND, SOURCE_INVALID or IMAGE_INVALID. */
export async function openOciLayout(directory: string): Promise<OciLayout> {
  const marker = await readWhole(join(directory, "oci-layout"), 64 * 1024, "OCI layout marker");
  const version = readImageDocument(marker, 64 * 1024, join(directory, "oci-layout")).string("imageLayoutVersion");
  if (!version.startsWith("1.")) {
    throw new BuildError(
      "SOURCE_INVALID",
      `OCI layout ${directory}: got version ${JSON.stringify(version.slice(0, 50))}, want 1.x`,
    );
  }
  const file = join(directory, "index.json");
  const indexBytes = await readWhole(file, largestManifestBytes, "OCI layout index");
  return { directory, indexBytes, index: parseImageIndex(indexBytes, mediaTypes.ociIndex, file) };
}

/**
 * The descriptor of the image that is meant: by digest, by tag (annotation `org.opencontainers.image.ref.name`), or,
 * when neither is given, "latest" or the only one. Null: none is named, so index.json itself lists one image by
 * platform. Throws SOURCE_NOT_FOUND with the tags there are.
 */
export async function findInOciLayout(
  layout: OciLayout,
  tag: string | null,
  digest: Digest | null,
): Promise<Descriptor | null> {
  const { manifests } = layout.index;
  if (digest !== null) {
    return manifests.find((entry) => entry.digest === digest) ?? (await describeBlob(layout.directory, digest));
  }
  const named = manifests.find((entry) => entry.annotations?.[refNameKey] === (tag ?? "latest"));
  if (named !== undefined) return named;
  const images = manifests.filter(isImageEntry);
  if (tag === null && images.length === 1) return images[0] ?? null;
  const tags = [...new Set(manifests.flatMap((entry) => entry.annotations?.[refNameKey] ?? []))];
  if (tag === null && images.length > 1 && tags.length === 0) return null;
  throw new BuildError(
    "SOURCE_NOT_FOUND",
    `OCI layout ${layout.directory}: no image tagged ${JSON.stringify(tag ?? "latest")}`,
    {
      hint: tags.length === 0 ? "it has no tags" : `it has ${tags.slice(0, 20).join(", ")}`,
    },
  );
}

/** A manifest or index that index.json does not list: its media type is what it says of itself. */
async function describeBlob(directory: string, digest: Digest): Promise<Descriptor> {
  const path = await blobPathOf(directory, digest);
  const bytes = await readWhole(path, largestManifestBytes, `blob ${digest}`);
  checkDigest(bytes, digest);
  return {
    mediaType: readImageDocument(bytes, largestManifestBytes, `blob ${digest}`).string("mediaType"),
    digest,
    size: bytes.length,
  };
}

/** The content of a blob, verified. Throws BLOB_TOO_LARGE above `limitBytes`, BLOB_DIGEST_MISMATCH, SOURCE_NOT_FOUND. */
export async function readOciLayoutBlob(directory: string, blob: Descriptor, limitBytes: number): Promise<Uint8Array> {
  if (blob.size > limitBytes) {
    throw new BuildError("BLOB_TOO_LARGE", `blob ${blob.digest}: got ${blob.size} bytes, want at most ${limitBytes}`);
  }
  const file = await openBlobFile(directory, blob);
  try {
    const bytes = await file.readFile();
    checkDigest(bytes, blob.digest);
    return bytes;
  } finally {
    await file.close();
  }
}

/** The bytes of a blob as they are: of the right size, not verified otherwise. Throws as `readOciLayoutBlob`. */
export async function openOciLayoutBlob(
  directory: string,
  blob: Descriptor,
  signal: AbortSignal,
): Promise<AsyncIterable<Uint8Array>> {
  const file = await openBlobFile(directory, blob);
  if (blob.size === 0) {
    await file.close();
    return emptyStream();
  }
  return file.createReadStream({ start: 0, end: blob.size - 1, highWaterMark: 256 * 1024, signal });
}

async function* emptyStream(): AsyncGenerator<Uint8Array> {}

async function openBlobFile(directory: string, blob: Descriptor): Promise<FileHandle> {
  const file = await openRegular(await blobPathOf(directory, blob.digest), `blob ${blob.digest}`);
  const { size } = await file.stat();
  if (size === blob.size) return file;
  await file.close();
  throw new BuildError("BLOB_DIGEST_MISMATCH", `blob ${blob.digest}: got ${size} bytes, want ${blob.size}`);
}

/** Below real directories only: a layout must not lead to files outside of it. */
async function blobPathOf(directory: string, digest: Digest): Promise<string> {
  for (const folder of [join(directory, "blobs"), join(directory, "blobs", "sha256")]) {
    const stats = await lstat(folder).catch((cause: unknown) => {
      throw notReadable(folder, "OCI layout", cause);
    });
    if (!stats.isDirectory())
      throw new BuildError("SOURCE_INVALID", `OCI layout ${directory}: ${folder} is not a directory`);
  }
  return join(directory, "blobs", "sha256", hexOf(digest));
}

function checkDigest(bytes: Uint8Array, digest: Digest): void {
  const got = digestOf(bytes);
  if (got !== digest) throw new BuildError("BLOB_DIGEST_MISMATCH", `blob: got ${got}, want ${digest}`);
}

async function readWhole(path: string, limitBytes: number, subject: string): Promise<Uint8Array> {
  const file = await openRegular(path, subject);
  try {
    const { size } = await file.stat();
    if (size > limitBytes)
      throw new BuildError("SOURCE_INVALID", `${subject} ${path}: got ${size} bytes, want at most ${limitBytes}`);
    return await file.readFile();
  } finally {
    await file.close();
  }
}

/** Opens a regular file; never through a link at its end, never waiting for the other end of a pipe. */
async function openRegular(path: string, subject: string): Promise<FileHandle> {
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    if ((await file.stat()).isFile()) return file;
    await file.close();
  } catch (cause) {
    throw notReadable(path, subject, cause);
  }
  throw new BuildError("SOURCE_INVALID", `${subject} ${path}: not a regular file`);
}

function notReadable(path: string, subject: string, cause: unknown): BuildError {
  if (isBuildError(cause)) return cause;
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : String(cause);
  if (code === "ENOENT" || code === "ENOTDIR")
    return new BuildError("SOURCE_NOT_FOUND", `${subject} ${path}: not found`, { cause });
  if (code === "ELOOP") return new BuildError("SOURCE_INVALID", `${subject} ${path}: is a symbolic link`, { cause });
  return new BuildError("SOURCE_INVALID", `${subject} ${path}: cannot be read (${code})`, { cause });
}
