import { type Digest, parseDigest } from "../base/digest.ts";
import type { RecordFields } from "./record-fields.ts";
import { readExpendableRecord, writeRecord } from "./record-file.ts";
import { fileNameOf } from "./reference-file-name.ts";
import type { StorePaths } from "./store-paths.ts";

/** What a reference meant for one platform when it was last resolved. The blobs it names are in the blob store. */
export interface Pin {
  /** Full reference: `docker.io/library/busybox:latest`. */
  readonly reference: string;
  /** `linux/amd64`. */
  readonly platform: string;
  /** What the registry answered the reference with: digest of an index or of a manifest. */
  readonly digest: Digest;
  /** Manifest of the platform. */
  readonly manifest: Digest;
  readonly imageId: Digest;
  readonly resolvedAtMs: number;
}

/** Pins as the files `pins/<reference and platform>`. */
export class Pins {
  readonly #paths: StorePaths;

  constructor(paths: StorePaths) {
    this.#paths = paths;
  }

  /** Replaces the pin of the same reference and platform. */
  async save(pin: Pin): Promise<void> {
    const { reference, platform, digest, manifest, imageId, resolvedAtMs } = pin;
    const stored = { reference, platform, digest, manifest, imageId, resolvedAtMs };
    await this.#paths.hold();
    await writeRecord(this.#pathOf(reference, platform), stored, this.#paths.temporary, "eventual");
  }

  /** The pin of a reference for a platform; null when there is none or it is broken. */
  async find(reference: string, platform: string): Promise<Pin | null> {
    const pin = await readExpendableRecord(this.#pathOf(reference, platform), parsePin);
    return pin !== null && pin.reference === reference && pin.platform === platform ? pin : null;
  }

  #pathOf(reference: string, platform: string): string {
    // No reference has a space, so no two pairs share a name.
    return this.#paths.pin(fileNameOf(`${reference} ${platform}`));
  }
}

/** Reads a stored pin; throws when it is broken. */
export function parsePin(fields: RecordFields): Pin {
  return {
    reference: fields.text("reference"),
    platform: fields.text("platform"),
    digest: parseDigest(fields.text("digest")),
    manifest: parseDigest(fields.text("manifest")),
    imageId: parseDigest(fields.text("imageId")),
    resolvedAtMs: fields.count("resolvedAtMs"),
  };
}
