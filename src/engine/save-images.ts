import type { Writable } from "node:stream";
import type { Digest } from "../base/digest.ts";
import type { OnBytes } from "../output/count-bytes.ts";
import { type NamedImages, writeOciArchive } from "../output/oci-archive-output.ts";
import type { OutputReceipt } from "../output/output.ts";
import type { StoredPlatformImage } from "../store/image-store.ts";
import { type ImageWorkshop, takeOut } from "./image-workshop.ts";

/** One image that is to be saved. */
export interface ChosenImage {
  readonly platforms: readonly StoredPlatformImage[];
  /** Full reference it is saved under; null for none. */
  readonly name: string | null;
}

/** `docker`: an OCI layout that `docker load` of any version reads too; one platform an image. */
export type ArchiveFormat = "docker" | "oci";

/** Writes images as one archive to a file, or to `stdout` for "-"; each image is in it once, whatever its names. */
export async function saveImages(
  chosen: readonly ChosenImage[],
  format: ArchiveFormat,
  destination: string,
  stdout: Writable,
  { store, layers }: ImageWorkshop,
  signal: AbortSignal,
  onBytes: OnBytes = () => {},
): Promise<OutputReceipt> {
  const named = new Map<string, NamedImages & { readonly names: string[] }>();
  for (const { platforms, name } of chosen) {
    const key = platforms.map(({ imageId }): Digest => imageId).join(" ");
    const known = named.get(key) ?? {
      images: await Promise.all(platforms.map((one) => takeOut(store, one))),
      names: [],
    };
    if (name !== null && !known.names.includes(name)) known.names.push(name);
    named.set(key, known);
  }
  const forDocker = format === "docker";
  const options = {
    destination,
    forDocker,
    compression: { format: { compression: forDocker ? "none" : "gzip", level: null }, force: false },
    annotations: [],
    ociMediaTypes: true,
    onBytes,
  } as const;
  return writeOciArchive([...named.values()], options, layers, store.blobs, stdout, signal);
}
