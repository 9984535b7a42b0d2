import type { Writable } from "node:stream";
import { BuildError } from "../base/errors.ts";
import type { BlobStore } from "../store/blob-store.ts";
import type { LayerStore } from "../store/layer-store.ts";
import { streamArchive } from "./archive-stream.ts";
import { makeOciImage, type OciOptions } from "./oci-image.ts";
import { dockerManifestMember, layoutMembers } from "./oci-layout-members.ts";
import type { Output } from "./output.ts";
import { writtenSummary } from "./receipt.ts";
import { writeDestination } from "./write-destination.ts";

export interface ArchiveOptions extends OciOptions {
  readonly destination: string;
  /** Full references. */
  readonly names: readonly string[];
  /** Also readable by `docker load` of any version, which takes one platform only. */
  readonly forDocker: boolean;
}

/** Images as a tar that holds an OCI layout; the same images give the same bytes. */
export function ociArchiveOutput(
  options: ArchiveOptions,
  layers: LayerStore,
  blobs: BlobStore,
  stdout: Writable,
): Output {
  return {
    async write(images, signal) {
      if (options.forDocker && images.length !== 1)
        throw new BuildError("EXPORT_UNSUPPORTED", `output type=docker: got ${images.length} platforms, want 1`, {
          hint: "docker load takes one platform: build one, or use type=oci",
        });
      const image = await makeOciImage(images, options, layers, signal);
      const more = options.forDocker ? [dockerManifestMember(image, options.names)] : [];
      const members = layoutMembers(image, options.names, blobs, more);
      const sizeBytes = await writeDestination(options.destination, streamArchive(members), stdout, signal);
      return { manifest: image.root.digest, summary: writtenSummary(options.destination, sizeBytes) };
    },
  };
}
