import { join } from "node:path";
import { PassThrough } from "node:stream";
import { localDirectoryOutput } from "../../../src/output/local-directory-output.ts";
import { ociArchiveOutput } from "../../../src/output/oci-archive-output.ts";
import { ociDirectoryOutput } from "../../../src/output/oci-directory-output.ts";
import { rootfsTarOutput } from "../../../src/output/rootfs-tar-output.ts";
import { describeOutput } from "../../conformance/describe-output.ts";
import { useStoredImages } from "../../support/stored-images.ts";

const ociOptions = {
  names: ["docker.io/ns/app:latest"],
  compression: { format: { compression: "gzip", level: null }, force: false },
  annotations: [],
  ociMediaTypes: true,
} as const;
const unused = new PassThrough();

for (const forDocker of [false, true]) {
  describeOutput(forDocker ? "docker archive" : "OCI archive", () => {
    const images = useStoredImages();
    return {
      images,
      hasManifest: true,
      open(directory) {
        const options = { ...ociOptions, destination: join(directory, "image.tar"), forDocker };
        return ociArchiveOutput(options, images.layers, images.store.blobs, unused);
      },
    };
  });
}

describeOutput("OCI directory", () => {
  const images = useStoredImages();
  return {
    images,
    hasManifest: true,
    open: (directory) =>
      ociDirectoryOutput({ ...ociOptions, destination: join(directory, "layout") }, images.layers, images.store.blobs),
  };
});

describeOutput("rootfs tar", () => {
  const images = useStoredImages();
  return {
    images,
    hasManifest: false,
    open: (directory) =>
      rootfsTarOutput(
        { destination: join(directory, "rootfs.tar"), splitPlatforms: null, epoch: null },
        images.layers,
        unused,
      ),
  };
});

describeOutput("local directory", () => {
  const images = useStoredImages();
  return {
    images,
    hasManifest: false,
    open: (directory) =>
      localDirectoryOutput(
        { destination: join(directory, "root"), splitPlatforms: null, epoch: null },
        images.layers,
        images.runner,
      ),
  };
});
