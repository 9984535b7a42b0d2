import { type DiffId, type Digest, parseDiffId, parseDigest } from "../base/digest.ts";
import { BuildError } from "../base/errors.ts";
import type { Descriptor } from "../image/descriptor.ts";
import type { BlobFormat } from "./layer-store.ts";
import { RecordFields } from "./record-fields.ts";
import { readExpendableRecord, writeRecord } from "./record-file.ts";
import type { StorePaths } from "./store-paths.ts";

/** What `layer.json` says: written once, when the index is put in its place. */
export interface LayerRecord {
  /** Of the uncompressed tar. */
  readonly sizeBytes: number;
  /** sha256 of the file `index`. */
  readonly indexDigest: Digest;
}

/** A blob that unpacks to the layer; `format` is null when it was not made here. */
export interface KnownBlob {
  readonly blob: Descriptor;
  readonly format: BlobFormat | null;
}

/** A blob of the layer that somebody else has. */
export interface RemoteBlob {
  readonly blob: Descriptor;
  readonly origin: string;
}

/** The JSON files of `layers/<hex>/`. One that is broken counts as not there. */
export class LayerRecords {
  readonly #paths: StorePaths;

  constructor(paths: StorePaths) {
    this.#paths = paths;
  }

  async layer(diffId: DiffId): Promise<LayerRecord | null> {
    return readExpendableRecord(this.#paths.layerFile(diffId, "layer.json"), (fields) => {
      expectLayer(fields, diffId);
      return { sizeBytes: fields.count("sizeBytes"), indexDigest: parseDigest(fields.text("indexDigest")) };
    });
  }

  async saveLayer(diffId: DiffId, { sizeBytes, indexDigest }: LayerRecord): Promise<void> {
    const path = this.#paths.layerFile(diffId, "layer.json");
    await this.#paths.hold();
    await writeRecord(path, { diffId, sizeBytes, indexDigest }, this.#paths.temporary, "eventual");
  }

  async blobs(diffId: DiffId): Promise<readonly KnownBlob[]> {
    const path = this.#paths.layerFile(diffId, "blobs.json");
    const parse = (fields: RecordFields): readonly KnownBlob[] => {
      expectLayer(fields, diffId);
      return fields.list("blobs", (item) => {
        const known = new RecordFields("blob", item);
        return { blob: parseBlob(known.object("blob")), format: known.optional("format", parseFormat) };
      });
    };
    return (await readExpendableRecord(path, parse)) ?? [];
  }

  /** Adds a blob, unless it is known. */
  async addBlob(diffId: DiffId, added: KnownBlob): Promise<void> {
    const known = await this.blobs(diffId);
    if (known.some(({ blob }) => blob.digest === added.blob.digest)) return;
    const blobs = [...known, added].map(({ blob, format }) => ({
      blob: plainBlob(blob),
      format: format === null ? null : { compression: format.compression, level: format.level },
    }));
    const path = this.#paths.layerFile(diffId, "blobs.json");
    await this.#paths.hold();
    await writeRecord(path, { diffId, blobs }, this.#paths.temporary, "eventual");
  }

  async remotes(diffId: DiffId): Promise<readonly RemoteBlob[]> {
    const path = this.#paths.layerFile(diffId, "remote.json");
    const parse = (fields: RecordFields): readonly RemoteBlob[] => {
      expectLayer(fields, diffId);
      return fields.list("blobs", (item) => {
        const remote = new RecordFields("blob", item);
        return { blob: parseBlob(remote.object("blob")), origin: remote.text("origin") };
      });
    };
    return (await readExpendableRecord(path, parse)) ?? [];
  }

  /** Adds a blob that `origin` has; the newest is the first to be asked. */
  async addRemote(diffId: DiffId, added: RemoteBlob): Promise<void> {
    const known = await this.remotes(diffId);
    const isSame = ({ blob, origin }: RemoteBlob): boolean =>
      blob.digest === added.blob.digest && origin === added.origin;
    if (known.some(isSame)) return;
    const blobs = [added, ...known].slice(0, maxOrigins).map(({ blob, origin }) => ({ blob: plainBlob(blob), origin }));
    const path = this.#paths.layerFile(diffId, "remote.json");
    await this.#paths.hold();
    await writeRecord(path, { diffId, blobs }, this.#paths.temporary, "eventual");
  }
}

const maxOrigins = 16;

/** Annotations and platform are about a manifest's use of a blob, not about the blob. */
const plainBlob = ({ mediaType, digest, size }: Descriptor) => ({ mediaType, digest, size });

const parseBlob = (fields: RecordFields): Descriptor => ({
  mediaType: fields.text("mediaType"),
  digest: parseDigest(fields.text("digest")),
  size: fields.count("size"),
});

function parseFormat(value: unknown): BlobFormat {
  const fields = new RecordFields("format", value);
  const compression = fields.text("compression");
  if (compression !== "none" && compression !== "gzip" && compression !== "zstd")
    throw new BuildError("STORE_RECORD_INVALID", `format: got compression ${JSON.stringify(compression)}`);
  return { compression, level: fields.optional("level", () => fields.count("level")) };
}

function expectLayer(fields: RecordFields, diffId: DiffId): void {
  const got = parseDiffId(fields.text("diffId"));
  if (got !== diffId) throw new BuildError("STORE_RECORD_INVALID", `layer record: got ${got}, want ${diffId}`);
}
