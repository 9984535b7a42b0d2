import type { Writable } from "node:stream";
import { BuildError } from "../base/errors.ts";
import type { BlobStore } from "../store/blob-store.ts";
import type { LayerStore } from "../store/layer-store.ts";
import { streamArchive } from "./archive-stream.ts";
import { countBytes, type OnBytes } from "./count-bytes.ts";
import { makeOciImage, type OciOptions } from "./oci-image.ts";
import { dockerManifestMember, layoutMembers } from "./oci-layout-members.ts";
import type { Output, OutputReceipt, PlatformImage } from "./output.ts";
import { writtenSummary } from "./receipt.ts";
import { writeDestination } from "./write-destination.ts";

export interface ArchiveOptions extends OciOptions {
  readonly destination: string;
  /** Full references. */
  readonly names: readonly string[];
  /** Also readable by `docker load` of any version, which takes one platform only. */
  readonly forDocker: boolean;
  readonly onBytes?: OnBytes;
}

/** Images as a tar that holds an OCI layout; the same images give the same bytes. */
export function ociArchiveOutput(
  options: ArchiveOptions,
  layers: LayerStore,
  blobs: BlobStore,
  stdout: Writable,
): Output {
  return {
    write: (images, signal) =>
      writeOciArchive([{ images, names: options.names }], options, layers, blobs, stdout, signal),
  };
}

/** The platforms of one image, and the full references it is listed under. */
export interface NamedImages {
  readonly images: readonly PlatformImage[];
  readonly names: readonly string[];
}

/** Several images as one archive; what they share is in it once. The receipt's manifest is that of an only image. */
export async function writeOciArchive(
  named: readonly NamedImages[],
  options: Omit<ArchiveOptions, "names">,
  layers: LayerStore,
  blobs: BlobStore,
  stdout: Writable,
  signal: AbortSignal,
): Promise<OutputReceipt> {
  const several = named.find(({ images }) => images.length !== 1);
  if (options.forDocker && several !== undefined)
    throw new BuildError("EXPORT_UNSUPPORTED", `output type=docker: got ${several.images.length} platforms, want 1`, {
      hint: "docker load takes one platform: build one, or use type=oci",
    });
  const made = await Promise.all(
    named.map(async ({ images, names }) => ({ image: await makeOciImage(images, options, layers, signal), names })),
  );
  const members = layoutMembers(made, blobs, options.forDocker ? [dockerManifestMember(made)] : []);
  const sizeBytes = await writeDestination(
    options.destination,
    countBytes(streamArchive(members), options.onBytes),
    stdout,
    signal,
  );
  const [only] = made;
  return {
    manifest: made.length === 1 && only !== undefined ? only.image.root.digest : null,
    summary: writtenSummary(options.destination, sizeBytes),
  };
}
