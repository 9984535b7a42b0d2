import { access, constants, readdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import type { Writable } from "node:stream";
import { BuildError } from "../base/errors.ts";
import type { TaskRunner } from "../base/task.ts";
import type { BlobStore } from "../store/blob-store.ts";
import type { ImageStore } from "../store/image-store.ts";
import type { LayerStore } from "../store/layer-store.ts";
import { isMissing, systemErrorCode } from "../store/storage-error.ts";
import { destinationError } from "./destination-error.ts";
import { imageStoreOutput } from "./image-store-output.ts";
import { localDirectoryOutput } from "./local-directory-output.ts";
import { ociArchiveOutput } from "./oci-archive-output.ts";
import { ociDirectoryOutput } from "./oci-directory-output.ts";
import type { Output } from "./output.ts";
import type { OutputSpec } from "./parse-output-flag.ts";
import type { Push } from "./push-content-of.ts";
import { registryOutput } from "./registry-output.ts";
import { rootfsTarOutput } from "./rootfs-tar-output.ts";
import { targetOf } from "./write-destination.ts";

/** What outputs work with. */
export interface OutputParts {
  readonly layers: LayerStore;
  readonly blobs: BlobStore;
  readonly images: ImageStore;
  readonly runner: TaskRunner;
  /** Where destination "-" is. */
  readonly stdout: Writable;
  /** Full references (`--tag`), for outputs that name none themselves. */
  readonly names: readonly string[];
  readonly nowMs: () => number;
  readonly push: Push;
  /** SOURCE_DATE_EPOCH of the build in seconds; null for none. */
  readonly epoch: number | null;
}

/** The epoch that counts for an output. */
export function epochOf(spec: OutputSpec, epochOfBuild: number | null): number | null {
  return spec.kind === "cacheonly" || spec.epoch === "of the build" ? epochOfBuild : spec.epoch;
}

/** The output a spec asks for; null for `cacheonly`, and for an image that is neither stored nor pushed. */
export function openOutput(spec: OutputSpec, parts: OutputParts): Output | null {
  const { layers, blobs } = parts;
  const names = "names" in spec && spec.names.length > 0 ? spec.names : parts.names;
  switch (spec.kind) {
    case "oci":
      return spec.isArchive
        ? ociArchiveOutput({ ...spec, names, forDocker: false }, layers, blobs, parts.stdout)
        : ociDirectoryOutput({ ...spec, names }, layers, blobs);
    case "docker":
      return ociArchiveOutput({ ...spec, names, forDocker: true }, layers, blobs, parts.stdout);
    case "image":
      return openImageOutput({ ...spec, names }, parts);
    case "tar":
      return rootfsTarOutput({ ...spec, epoch: epochOf(spec, parts.epoch) }, layers, parts.stdout);
    case "local":
      return localDirectoryOutput({ ...spec, epoch: epochOf(spec, parts.epoch) }, layers, parts.runner);
    case "cacheonly":
      return null;
  }
}

function openImageOutput(spec: OutputSpec & { readonly kind: "image" }, parts: OutputParts): Output | null {
  const { layers, blobs, images } = parts;
  const store = spec.store ? imageStoreOutput(spec.names, images, blobs, parts.nowMs) : null;
  return spec.push ? registryOutput(spec, store, parts.push, layers, blobs, images) : store;
}

/**
 * Finds out before a build whether its output can be written where it is to go. Changes nothing. Throws
 * EXPORT_DESTINATION_INVALID.
 */
export async function checkDestination(spec: OutputSpec): Promise<void> {
  if (spec.kind === "image" || spec.kind === "cacheonly" || spec.destination === "-") return;
  const isDirectory = spec.kind === "local" || (spec.kind === "oci" && !spec.isArchive);
  await (isDirectory ? checkDirectory(spec) : checkFile(spec.destination));
}

async function checkFile(destination: string): Promise<void> {
  const path = await targetOf(destination);
  const there = await statOrNull(path);
  if (there?.isDirectory() || /\/\.{0,2}$/.test(destination)) throw invalid(destination, "is a directory, want a file");
  await checkWritable(destination, there === null || there.isFile() ? dirname(path) : path);
}

async function checkDirectory(spec: OutputSpec & { readonly destination: string }): Promise<void> {
  const { destination } = spec;
  let path = await targetOf(destination);
  let there = await statOrNull(path);
  if (there !== null && spec.kind === "oci" && there.isDirectory()) {
    const names = await readdir(path).catch((error: unknown) => {
      throw destinationError(error, destination);
    });
    if (names.length > 0 && !names.includes("oci-layout"))
      throw invalid(destination, "is not an OCI layout", "name a new directory, or one that holds an OCI layout");
  }
  // Missing directories are made, so what counts is the last one that is there.
  for (; there === null; there = await statOrNull(path)) path = dirname(path);
  if (!there.isDirectory()) throw invalid(destination, `"${path}" is not a directory`);
  await checkWritable(destination, path);
}

async function checkWritable(destination: string, path: string): Promise<void> {
  const there = await statOrNull(path);
  if (there === null) throw invalid(destination, `directory "${path}" is missing`, "make the directory first");
  await access(path, there.isDirectory() ? constants.W_OK | constants.X_OK : constants.W_OK).catch((error: unknown) => {
    throw destinationError(error, destination);
  });
}

async function statOrNull(path: string) {
  try {
    return await stat(path);
  } catch (error) {
    if (isMissing(error) || systemErrorCode(error) === "ENOTDIR") return null;
    throw destinationError(error, path);
  }
}

const invalid = (destination: string, problem: string, hint?: string): BuildError =>
  new BuildError("EXPORT_DESTINATION_INVALID", `output ${JSON.stringify(destination)}: ${problem}`, { hint });
