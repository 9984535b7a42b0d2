import { createHash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { rename, stat, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Digest, digestFromHex, digestOf, hexOf } from "../base/digest.ts";
import { BuildError } from "../base/errors.ts";
import { ignoreMissing, moveInto, readSmallFile, replaceFile, syncDirectory } from "./atomic-file.ts";
import type { BlobIdentity, BlobStore } from "./blob-store.ts";
import { isMissing, storageError, withStorageErrors } from "./storage-error.ts";
import type { StorePaths } from "./store-paths.ts";
import { writeVerified } from "./write-blob.ts";

const readSize = 1024 * 1024;

/** Blobs as the files `blobs/sha256/<hex>` of a store. */
export class DirectoryBlobStore implements BlobStore {
  readonly #paths: StorePaths;

  constructor(paths: StorePaths) {
    this.#paths = paths;
  }

  async has(blob: BlobIdentity): Promise<boolean> {
    const path = this.path(blob.digest);
    return withStorageErrors(path, async () => {
      try {
        if ((await stat(path)).size === blob.size) return true;
      } catch (error) {
        if (isMissing(error)) return false;
        throw error;
      }
      // Whoever asks may have the size from somebody who is wrong; then the blob is not.
      if (this.#paths.isLocked && !(await this.#isSound(blob.digest))) await this.quarantine(blob.digest);
      return false;
    });
  }

  async #isSound(digest: Digest): Promise<boolean> {
    const hash = createHash("sha256");
    for await (const chunk of createReadStream(this.path(digest), { highWaterMark: readSize }))
      hash.update(chunk as Buffer);
    return digestFromHex(hash.digest("hex")) === digest;
  }

  async put(blob: BlobIdentity, bytes: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<void> {
    if (await this.has(blob)) {
      await bytes[Symbol.asyncIterator]().return?.();
      return;
    }
    await this.#paths.hold();
    const draft = join(this.#paths.temporary, `blob-${randomBytes(8).toString("hex")}`);
    try {
      await writeVerified(draft, blob, bytes, signal);
      await this.adopt(blob, draft);
    } catch (error) {
      await unlink(draft).catch(ignoreMissing);
      throw error;
    }
  }

  async putBytes(bytes: Uint8Array): Promise<Digest> {
    const digest = digestOf(bytes);
    if (await this.has({ digest, size: bytes.length })) return digest;
    await this.#paths.hold();
    await replaceFile(this.path(digest), bytes, this.#paths.temporary, "durable");
    return digest;
  }

  async adopt(blob: BlobIdentity, file: string): Promise<void> {
    const path = this.path(blob.digest);
    await withStorageErrors(path, async () => {
      await moveInto(file, path);
      await syncDirectory(dirname(path));
    });
  }

  async *read(digest: Digest): AsyncGenerator<Uint8Array> {
    const path = this.path(digest);
    const hash = createHash("sha256");
    try {
      for await (const chunk of createReadStream(path, { highWaterMark: readSize })) {
        hash.update(chunk as Buffer);
        yield chunk as Buffer;
      }
    } catch (error) {
      throw isMissing(error) ? notFound(digest) : storageError(error, path);
    }
    const got = digestFromHex(hash.digest("hex"));
    if (got !== digest) await this.#reportBroken(digest, got);
  }

  async readBytes(digest: Digest, maxBytes: number): Promise<Buffer> {
    const bytes = await readSmallFile(this.path(digest), maxBytes);
    if (bytes === null) throw notFound(digest);
    const got = digestOf(bytes);
    if (got !== digest) await this.#reportBroken(digest, got);
    return bytes;
  }

  path(digest: Digest): string {
    return this.#paths.blob(digest);
  }

  async quarantine(digest: Digest): Promise<void> {
    const target = this.#paths.quarantine(`blob-${hexOf(digest)}-${randomBytes(4).toString("hex")}`);
    await withStorageErrors(target, () => rename(this.path(digest), target).catch(ignoreMissing));
  }

  async #reportBroken(digest: Digest, got: Digest): Promise<never> {
    await this.#paths.hold();
    await this.quarantine(digest);
    throw new BuildError("BLOB_DIGEST_MISMATCH", `stored blob ${digest}: digest mismatch: got ${got}, want ${digest}`, {
      hint: "the blob was set aside; the next build gets it again",
      details: { digest, got },
    });
  }
}

const notFound = (digest: Digest): BuildError =>
  new BuildError("BLOB_NOT_FOUND", `blob ${digest}: not in the store`, {
    hint: "the next build gets it again",
    details: { digest },
  });
