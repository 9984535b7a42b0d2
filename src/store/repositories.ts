import { readdir, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { type Digest, parseDigest } from "../base/digest.ts";
import { ignoreMissing, removeFile } from "./atomic-file.ts";
import { type ContentDigest, parseContentDigest } from "./content-digest.ts";
import { RecordFields } from "./record-fields.ts";
import { readRecord, writeRecord } from "./record-file.ts";
import { fileNameOf } from "./reference-file-name.ts";
import { isMissing, withStorageErrors } from "./storage-error.ts";
import type { StorePaths } from "./store-paths.ts";

/** A blob that was pushed into a repository: the digest it is called by there, and where its bytes are. */
export interface RepositoryBlob {
  readonly repository: string;
  readonly digest: ContentDigest;
  readonly blob: Digest;
  readonly size: number;
}

/** A manifest, an index or an artifact that was pushed into a repository. Its bytes are the blob `blob`. */
export interface RepositoryManifest extends RepositoryBlob {
  readonly mediaType: string;
  /** What the referrers list says of it; "" for none. */
  readonly artifactType: string;
  /** What it is about; null for nothing. */
  readonly subject: ContentDigest | null;
  readonly annotations: ReadonlyMap<string, string>;
  /** Config, layers and manifests it names, as far as the repository keeps them. */
  readonly names: readonly ContentDigest[];
}

export interface RepositoryTag {
  readonly repository: string;
  readonly tag: string;
  readonly digest: ContentDigest;
  readonly taggedAtMs: number;
}

/** What others pushed into this store, as the files below `repositories/`. It is kept until it is deleted. */
export class Repositories {
  readonly #paths: StorePaths;

  constructor(paths: StorePaths) {
    this.#paths = paths;
  }

  /** Makes a blob of the store part of a repository; doing it again makes it young. */
  async addBlob({ repository, digest, blob, size }: RepositoryBlob): Promise<void> {
    await this.#write(this.#paths.repositoryFile(fileNameOf(repository), "blobs", fileNameOf(digest)), {
      repository,
      digest,
      blob,
      size,
    });
  }

  /** The blob, if it is part of the repository. Throws STORE_RECORD_INVALID, as all methods that read. */
  findBlob(repository: string, digest: ContentDigest): Promise<RepositoryBlob | null> {
    return readRecord(
      this.#paths.repositoryFile(fileNameOf(repository), "blobs", fileNameOf(digest)),
      parseRepositoryBlob,
    );
  }

  /** A repository that has the blob; null when there is none. */
  async findBlobAnywhere(digest: ContentDigest): Promise<RepositoryBlob | null> {
    for (const directory of await this.#directories()) {
      const found = await readRecord(
        this.#paths.repositoryFile(directory, "blobs", fileNameOf(digest)),
        parseRepositoryBlob,
      );
      if (found !== null) return found;
    }
    return null;
  }

  /** Notes that somebody counts on a blob being there; it not being there is no error. */
  async touchBlob(repository: string, digest: ContentDigest): Promise<void> {
    const now = new Date();
    const file = this.#paths.repositoryFile(fileNameOf(repository), "blobs", fileNameOf(digest));
    await withStorageErrors(file, () => utimes(file, now, now).catch(ignoreMissing));
  }

  async removeBlob(repository: string, digest: ContentDigest): Promise<void> {
    await removeFile(this.#paths.repositoryFile(fileNameOf(repository), "blobs", fileNameOf(digest)));
  }

  async addManifest(manifest: RepositoryManifest): Promise<void> {
    const { repository, digest, blob, size, mediaType, artifactType, subject, annotations, names } = manifest;
    await this.#write(this.#paths.repositoryFile(fileNameOf(repository), "manifests", fileNameOf(digest)), {
      repository,
      digest,
      blob,
      size,
      mediaType,
      artifactType,
      subject,
      annotations: [...annotations],
      names,
    });
  }

  findManifest(repository: string, digest: ContentDigest): Promise<RepositoryManifest | null> {
    return readRecord(
      this.#paths.repositoryFile(fileNameOf(repository), "manifests", fileNameOf(digest)),
      parseRepositoryManifest,
    );
  }

  listManifests(repository: string): Promise<readonly RepositoryManifest[]> {
    return this.#readAll(fileNameOf(repository), "manifests", parseRepositoryManifest);
  }

  async removeManifest(repository: string, digest: ContentDigest): Promise<void> {
    await removeFile(this.#paths.repositoryFile(fileNameOf(repository), "manifests", fileNameOf(digest)));
  }

  /** Makes a tag lead to a manifest of the repository, whatever it led to before. */
  async addTag({ repository, tag, digest, taggedAtMs }: RepositoryTag): Promise<void> {
    await this.#write(this.#paths.repositoryFile(fileNameOf(repository), "tags", fileNameOf(tag)), {
      repository,
      tag,
      digest,
      taggedAtMs,
    });
  }

  findTag(repository: string, tag: string): Promise<RepositoryTag | null> {
    return readRecord(this.#paths.repositoryFile(fileNameOf(repository), "tags", fileNameOf(tag)), parseRepositoryTag);
  }

  listTags(repository: string): Promise<readonly RepositoryTag[]> {
    return this.#readAll(fileNameOf(repository), "tags", parseRepositoryTag);
  }

  async removeTag(repository: string, tag: string): Promise<void> {
    await removeFile(this.#paths.repositoryFile(fileNameOf(repository), "tags", fileNameOf(tag)));
  }

  /** The repositories that have a manifest. */
  async list(): Promise<readonly string[]> {
    const names: string[] = [];
    for (const directory of await this.#directories()) {
      const [first] = await this.#namesIn(directory, "manifests");
      if (first === undefined) continue;
      const manifest = await readRecord(
        this.#paths.repositoryFile(directory, "manifests", first),
        parseRepositoryManifest,
      );
      if (manifest !== null) names.push(manifest.repository);
    }
    return names;
  }

  /**
   * What of all repositories needs which blobs of the store. A blob that no manifest of its repository names counts as
   * long as it is younger than `idleBeforeMs`: its manifest may be on the way. The files of others may go.
   */
  async needs(
    idleBeforeMs: number,
  ): Promise<{ readonly blobs: readonly Digest[]; readonly idleFiles: readonly string[] }> {
    const blobs: Digest[] = [];
    const idleFiles: string[] = [];
    for (const directory of await this.#directories()) {
      const manifests = await this.#readAll(directory, "manifests", parseRepositoryManifest);
      const named = new Set(manifests.flatMap(({ names }) => names));
      blobs.push(...manifests.map(({ blob }) => blob));
      for (const name of await this.#namesIn(directory, "blobs")) {
        const file = this.#paths.repositoryFile(directory, "blobs", name);
        const link = await readRecord(file, parseRepositoryBlob);
        if (link === null) continue;
        const { mtimeMs } = await stat(file);
        if (named.has(link.digest) || mtimeMs >= idleBeforeMs) blobs.push(link.blob);
        else idleFiles.push(file);
      }
    }
    return { blobs, idleFiles };
  }

  async #readAll<T>(
    directory: string,
    kind: "blobs" | "manifests" | "tags",
    parse: (fields: RecordFields) => T,
  ): Promise<readonly T[]> {
    const found: T[] = [];
    for (const name of await this.#namesIn(directory, kind)) {
      const record = await readRecord(this.#paths.repositoryFile(directory, kind, name), parse);
      if (record !== null) found.push(record);
    }
    return found;
  }

  #directories(): Promise<readonly string[]> {
    return namesOf(join(this.#paths.root, "repositories"));
  }

  #namesIn(directory: string, kind: "blobs" | "manifests" | "tags"): Promise<readonly string[]> {
    return namesOf(join(this.#paths.root, "repositories", directory, kind));
  }

  #write(path: string, record: Parameters<typeof writeRecord>[1]): Promise<void> {
    return writeRecord(path, record, this.#paths.temporary, "durable");
  }
}

async function namesOf(directory: string): Promise<readonly string[]> {
  return withStorageErrors(directory, async () => {
    try {
      return await readdir(directory);
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  });
}

const parseRepositoryBlob = (fields: RecordFields): RepositoryBlob => ({
  repository: fields.text("repository"),
  digest: parseContentDigest(fields.text("digest")),
  blob: parseDigest(fields.text("blob")),
  size: fields.count("size"),
});

const parseRepositoryManifest = (fields: RecordFields): RepositoryManifest => ({
  ...parseRepositoryBlob(fields),
  mediaType: fields.text("mediaType"),
  artifactType: fields.text("artifactType"),
  subject: fields.optional("subject", parseContentDigest),
  annotations: new Map(
    fields.list("annotations", (item) => {
      const pair = new RecordFields("annotation", { pair: item }).list("pair", String);
      return [pair[0] ?? "", pair[1] ?? ""] as const;
    }),
  ),
  names: fields.list("names", parseContentDigest),
});

const parseRepositoryTag = (fields: RecordFields): RepositoryTag => ({
  repository: fields.text("repository"),
  tag: fields.text("tag"),
  digest: parseContentDigest(fields.text("digest")),
  taggedAtMs: fields.count("taggedAtMs"),
});
