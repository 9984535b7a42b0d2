import { randomBytes } from "node:crypto";
import { open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { BuildError } from "../base/errors.ts";
import type { Descriptor } from "../image/descriptor.ts";
import { parseImageIndex } from "../image/image-index.ts";
import { mediaTypes } from "../image/media-types.ts";
import type { BlobStore } from "../store/blob-store.ts";
import type { LayerStore } from "../store/layer-store.ts";
import { makeDirectories } from "../store/make-directories.ts";
import { isMissing } from "../store/storage-error.ts";
import type { ArchiveMember } from "./archive-stream.ts";
import { withDestinationErrors } from "./destination-error.ts";
import { makeOciImage, type OciOptions } from "./oci-image.ts";
import { blobMembers, layoutEntries, layoutIndex, layoutMarker } from "./oci-layout-members.ts";
import type { Output } from "./output.ts";
import { writtenSummary } from "./receipt.ts";
import { targetOf } from "./write-destination.ts";

export interface OciDirectoryOptions extends OciOptions {
  readonly destination: string;
  /** Full references. */
  readonly names: readonly string[];
}

const refNameKey = "org.opencontainers.image.ref.name";
const imageNameKey = "io.containerd.image.name";

/**
 * Images as an OCI layout in a directory. A layout that is there keeps its other images; those of the same names are
 * replaced. `index.json` changes last and at once, so readers see the old images or the new ones.
 */
export function ociDirectoryOutput(options: OciDirectoryOptions, layers: LayerStore, blobs: BlobStore): Output {
  return {
    async write(images, signal) {
      const image = await makeOciImage(images, options, layers, signal);
      const root = await targetOf(options.destination);
      const added = new AddedFiles(options.destination);
      try {
        const kept = await openLayout(root, options.destination, added);
        let sizeBytes = 0;
        for (const member of blobMembers(image, blobs)) {
          if (member.type === "file") sizeBytes += await added.write(root, member, signal);
        }
        const entries = layoutEntries(image, options.names);
        const index = layoutIndex([...kept.filter((entry) => !isReplaced(entry, entries)), ...entries]);
        await added.replace(join(root, "index.json"), index);
        return { manifest: image.root.digest, summary: writtenSummary(options.destination, sizeBytes) };
      } catch (error) {
        await added.undo();
        throw error;
      }
    },
  };
}

/** Makes sure there is a layout in `root`; the images it lists. */
async function openLayout(root: string, destination: string, added: AddedFiles): Promise<readonly Descriptor[]> {
  const found = await withDestinationErrors(destination, () => namesIn(root));
  if (found.length === 0) {
    await added.directory(join(root, "blobs", "sha256"));
    await added.create(join(root, "oci-layout"), layoutMarker);
    return [];
  }
  if (!found.includes("oci-layout"))
    throw new BuildError("EXPORT_DESTINATION_INVALID", `output ${JSON.stringify(destination)}: is not an OCI layout`, {
      hint: "name a new directory, or one that holds an OCI layout",
    });
  await added.directory(join(root, "blobs", "sha256"));
  if (!found.includes("index.json")) return [];
  const bytes = await withDestinationErrors(destination, () => readFile(join(root, "index.json")));
  return parseImageIndex(bytes, mediaTypes.ociIndex, `${destination}/index.json`).manifests;
}

/** Whether a listed image gives way to one of `entries`: it has the same name, or is the same without one. */
function isReplaced(listed: Descriptor, entries: readonly Descriptor[]): boolean {
  const nameOf = (entry: Descriptor): string | undefined =>
    entry.annotations?.[imageNameKey] ?? entry.annotations?.[refNameKey];
  return entries.some((entry) =>
    nameOf(entry) === undefined
      ? nameOf(listed) === undefined && listed.digest === entry.digest
      : nameOf(listed) === nameOf(entry),
  );
}

/** Files put into a directory that others may use, to be taken back when the rest fails. */
class AddedFiles {
  readonly #destination: string;
  readonly #paths: string[] = [];

  constructor(destination: string) {
    this.#destination = destination;
  }

  async directory(path: string): Promise<void> {
    const first = await withDestinationErrors(this.#destination, () => makeDirectories(path));
    if (first !== null) this.#paths.push(first);
  }

  /** Bytes written; 0 when the file is there with this size. */
  async write(root: string, member: ArchiveMember & { readonly type: "file" }, signal: AbortSignal): Promise<number> {
    const path = join(root, member.path);
    if ((await sizeOf(path)) === member.size) return 0;
    await this.#put(path, member.content(), signal);
    this.#paths.push(path);
    return member.size;
  }

  async create(path: string, bytes: Uint8Array): Promise<void> {
    await this.#put(path, [bytes], null);
    this.#paths.push(path);
  }

  /** Replaces a file; this is not taken back. */
  async replace(path: string, bytes: Uint8Array): Promise<void> {
    await this.#put(path, [bytes], null);
  }

  async undo(): Promise<void> {
    for (const path of this.#paths.reverse()) await rm(path, { recursive: true, force: true });
  }

  async #put(
    path: string,
    chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    signal: AbortSignal | null,
  ): Promise<void> {
    const draft = join(dirname(path), `.tsbuild-${randomBytes(6).toString("hex")}`);
    try {
      const file = await withDestinationErrors(this.#destination, () => open(draft, "wx", 0o644));
      try {
        for await (const chunk of chunks) {
          if (signal?.aborted) throw new BuildError("BUILD_CANCELLED", "the build was cancelled");
          await withDestinationErrors(this.#destination, () => file.writeFile(chunk));
        }
        await withDestinationErrors(this.#destination, () => file.sync());
      } finally {
        await file.close();
      }
      await withDestinationErrors(this.#destination, () => rename(draft, path));
    } catch (error) {
      await rm(draft, { force: true });
      throw error;
    }
  }
}

async function namesIn(directory: string): Promise<readonly string[]> {
  return readdir(directory).catch((error: unknown) => {
    if (isMissing(error)) return [];
    throw error;
  });
}

async function sizeOf(path: string): Promise<number | null> {
  return stat(path).then(
    ({ size }) => size,
    () => null,
  );
}
