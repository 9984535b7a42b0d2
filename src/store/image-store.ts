import { readdirSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { canonicalJson, type JsonValue } from "../base/canonical-json.ts";
import { type DiffId, type Digest, hexOf, parseDiffId, parseDigest } from "../base/digest.ts";
import { BuildError, isBuildError } from "../base/errors.ts";
import type { Platform } from "../image/platform.ts";
import { ignoreMissing, removeFile } from "./atomic-file.ts";
import { RecordFields } from "./record-fields.ts";
import { readExpendableRecord, readRecord, writeRecord } from "./record-file.ts";
import { fileNameOf } from "./reference-file-name.ts";
import { withStorageErrors } from "./storage-error.ts";
import type { StorePaths } from "./store-paths.ts";

/** One platform of a stored image. Its config is the blob `imageId`, its layers are in the layer store. */
export interface StoredPlatformImage {
  readonly platform: Platform;
  readonly imageId: Digest;
  readonly diffIds: readonly DiffId[];
  readonly annotations: ReadonlyMap<string, string>;
}

/** What a tag of this store stands for. */
export interface StoredImage {
  /** Full reference: `docker.io/ns/app:latest`. */
  readonly reference: string;
  readonly platforms: readonly StoredPlatformImage[];
  readonly createdAtMs: number;
  /** Digests of manifests and indexes this image is known to have had in registries or archives. */
  readonly manifests: readonly Digest[];
  /** Blobs that an index of the image leads to besides its platforms: attestations, and what these consist of. */
  readonly attachments?: readonly Digest[];
}

/** Images by reference, as the files `images/<reference>`. */
export class ImageStore {
  readonly #paths: StorePaths;

  constructor(paths: StorePaths) {
    this.#paths = paths;
  }

  /**
   * Makes `reference` stand for the image, whatever it stood for before. Configs and layers must be in the store. Of an
   * image it stands for already the time may be kept, and nothing be written.
   */
  async tag(reference: string, image: Omit<StoredImage, "reference">): Promise<void> {
    const stored = {
      reference,
      platforms: image.platforms.map(({ platform, imageId, diffIds, annotations }) => ({
        platform: {
          os: platform.os,
          architecture: platform.architecture,
          variant: platform.variant,
          osVersion: platform.osVersion,
        },
        imageId,
        diffIds,
        annotations: [...annotations],
      })),
      createdAtMs: image.createdAtMs,
      manifests: image.manifests,
      ...(image.attachments === undefined ? {} : { attachments: image.attachments }),
    };
    if (await this.#isTagged(reference, stored)) return;
    await this.#paths.hold();
    await writeRecord(this.#pathOf(reference), stored, this.#paths.temporary, "durable");
  }

  /** The image `reference` stands for; null when there is none. Throws STORE_RECORD_INVALID when its record is broken. */
  async get(reference: string): Promise<StoredImage | null> {
    const image = await readRecord(this.#pathOf(reference), parseStoredImage);
    return image !== null && image.reference === reference ? image : null;
  }

  /** All images, sorted by reference. Throws STORE_RECORD_INVALID when a record is broken. */
  async list(): Promise<readonly StoredImage[]> {
    const directory = this.#paths.image("");
    const names = await withStorageErrors(directory, () => readdir(directory));
    const images = await Promise.all(names.map((name) => readRecord(this.#paths.image(name), parseStoredImage)));
    return images
      .filter((image) => image !== null)
      .sort((a, b) => (a.reference < b.reference ? -1 : a.reference > b.reference ? 1 : 0));
  }

  /**
   * The images a user may mean by `text`: a full reference, an image ID, or the digest of a manifest, the latter two
   * with or without `sha256:` and cut off after any number of digits from 4. A reference goes first. All results of a
   * cut-off digest have the same image ID: throws IMAGE_NOT_FOUND when it fits several images, or none.
   */
  async find(text: string): Promise<readonly StoredImage[]> {
    const exact = await this.get(text);
    if (exact !== null) return [exact];
    const prefix = text.startsWith("sha256:") ? text.slice("sha256:".length) : text;
    const found = /^[0-9a-f]{4,64}$/.test(prefix)
      ? (await this.list()).filter((image) => digestsOf(image).some((digest) => hexOf(digest).startsWith(prefix)))
      : [];
    const distinct = new Set(found.map((image) => image.platforms.map(({ imageId }) => imageId).join(" ")));
    if (distinct.size === 1) return found;
    throw new BuildError(
      "IMAGE_NOT_FOUND",
      distinct.size === 0
        ? `image ${JSON.stringify(text)}: not found`
        : `image ${JSON.stringify(text)}: fits ${distinct.size} images`,
      {
        hint:
          distinct.size === 0 ? '"tsbuild images" lists the images of the store' : "give more digits of the image ID",
        details: { fitting: distinct.size === 0 ? "none" : "several" },
      },
    );
  }

  /** Forgets a reference; false when it was not there. A broken record is removed too. */
  async untag(reference: string): Promise<boolean> {
    const image = await this.get(reference).catch((error: unknown) => {
      if (isBuildError(error, "STORE_RECORD_INVALID")) return "broken";
      throw error;
    });
    if (image === null) return false;
    await removeFile(this.#pathOf(reference));
    return true;
  }

  /**
   * Whether `reference` stands for the image already; then only the time would change, and nothing is written. Where
   * others push, the time decides between what they pushed and what was built.
   */
  async #isTagged(reference: string, image: { readonly [member: string]: JsonValue }): Promise<boolean> {
    const timeless = (members: { readonly [member: string]: JsonValue }): string =>
      canonicalJson({ ...members, createdAtMs: null });
    if (this.#isPushedTo()) return false;
    const known = await readExpendableRecord(this.#pathOf(reference), (fields) => ({
      reference: fields.json("reference"),
      platforms: fields.json("platforms"),
      manifests: fields.json("manifests"),
    }));
    return known !== null && timeless(known) === timeless(image);
  }

  #isPushedTo(): boolean {
    try {
      return readdirSync(join(this.#paths.root, "repositories")).length > 0;
    } catch (error) {
      ignoreMissing(error);
      return false;
    }
  }

  #pathOf(reference: string): string {
    return this.#paths.image(fileNameOf(reference));
  }
}

/** Every digest an image can be called by. */
const digestsOf = (image: StoredImage): readonly Digest[] => [
  ...image.platforms.map(({ imageId }) => imageId),
  ...image.manifests,
];

/** Reads a stored image; throws STORE_RECORD_INVALID when it is broken. */
export function parseStoredImage(fields: RecordFields): StoredImage {
  const attachments = fields.optional("attachments", () => fields.list("attachments", parseDigest));
  return {
    reference: fields.text("reference"),
    platforms: fields.list("platforms", (item) => {
      const image = new RecordFields("platform", item);
      const platform = image.object("platform");
      return {
        platform: {
          os: platform.text("os"),
          architecture: platform.text("architecture"),
          variant: platform.text("variant"),
          osVersion: platform.text("osVersion"),
        },
        imageId: parseDigest(image.text("imageId")),
        diffIds: image.list("diffIds", parseDiffId),
        annotations: new Map(image.list("annotations", parsePair)),
      };
    }),
    createdAtMs: fields.count("createdAtMs"),
    manifests: fields.list("manifests", parseDigest),
    ...(attachments === null ? {} : { attachments }),
  };
}

function parsePair(item: unknown): readonly [string, string] {
  if (Array.isArray(item) && item.length === 2 && typeof item[0] === "string" && typeof item[1] === "string")
    return [item[0], item[1]];
  throw new BuildError("STORE_RECORD_INVALID", "annotation: want a key and a value");
}
