import { createHash, type Hash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, open, unlink } from "node:fs/promises";
import { join } from "node:path";
import { digestFromHex } from "../base/digest.ts";
import type { BlobIdentity } from "../store/blob-store.ts";
import { algorithmOf, type ContentDigest, hashLike } from "../store/content-digest.ts";
import { withStorageErrors } from "../store/storage-error.ts";
import { RegistryRefusal } from "./registry-refusal.ts";
import { mostUploads } from "./serve-limits.ts";
import type { OpenedStore, StoreLease } from "./store-lease.ts";

/** A blob that is being received, in a file of this process below `tmp/` of the store. */
export class Upload {
  readonly id = randomBytes(16).toString("hex");
  readonly repository: string;
  readonly opened: OpenedStore;
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #sha256: Hash = createHash("sha256");
  #offset = 0;
  /** The request that writes; the next one waits for it. */
  #turn: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  constructor(repository: string, opened: OpenedStore, path: string, file: FileHandle) {
    this.repository = repository;
    this.opened = opened;
    this.#path = path;
    this.#file = file;
  }

  /** How many bytes are there. */
  get offset(): number {
    return this.#offset;
  }

  /** Whether a request writes to it, or waits to. */
  get isBusy(): boolean {
    return this.#waiting > 0;
  }

  /** Runs `work` when no other request writes to this upload. */
  async inTurn<T>(work: () => Promise<T>): Promise<T> {
    this.#waiting += 1;
    const turn = this.#turn.then(work, work);
    this.#turn = turn;
    try {
      return await turn;
    } finally {
      this.#waiting -= 1;
    }
  }

  /** Adds bytes as they come; what came before a failure stays. */
  async append(chunks: AsyncIterable<Uint8Array>): Promise<void> {
    for await (const chunk of chunks) {
      await withStorageErrors(this.#path, () => this.#file.writeFile(chunk));
      this.#sha256.update(chunk);
      this.#offset += chunk.length;
    }
  }

  /** Makes what is there a blob of the store. Throws a RegistryRefusal unless it has the digest; it is over then too. */
  async finish(digest: ContentDigest): Promise<BlobIdentity> {
    const sha256 = digestFromHex(this.#sha256.digest("hex"));
    const got = algorithmOf(digest) === "sha256" ? sha256 : await this.#digestLike(digest);
    if (got !== (digest as string)) throw new RegistryRefusal(400, "DIGEST_INVALID", `got ${got}, want ${digest}`);
    await withStorageErrors(this.#path, () => this.#file.sync());
    const blob = { digest: sha256, size: this.#offset };
    await this.opened.store.blobs.adopt(blob, this.#path);
    return blob;
  }

  /** For the few that use another algorithm than the store does. */
  async #digestLike(digest: ContentDigest): Promise<string> {
    const hash = hashLike(digest);
    for await (const chunk of createReadStream(this.#path)) hash.update(chunk as Buffer);
    return `${algorithmOf(digest)}:${hash.digest("hex")}`;
  }

  /** Closes and removes the file. */
  async discard(): Promise<void> {
    await this.#file.close().catch(() => {});
    await unlink(this.#path).catch(() => {});
  }
}

/** The uploads that are going on. The store stays open for as long as there is one. */
export class Uploads {
  readonly #lease: StoreLease;
  readonly #patienceMs: number;
  readonly #going = new Map<string, { readonly upload: Upload; readonly timer: NodeJS.Timeout }>();

  /** An upload that nobody asks for during `patienceMs` is forgotten. */
  constructor(lease: StoreLease, patienceMs: number) {
    this.#lease = lease;
    this.#patienceMs = patienceMs;
  }

  async begin(repository: string): Promise<Upload> {
    if (this.#going.size >= mostUploads)
      throw new RegistryRefusal(429, "TOOMANYREQUESTS", "too many uploads at the same time", { "retry-after": "30" });
    const opened = await this.#lease.acquire();
    try {
      const path = join(opened.store.paths.temporary, `upload-${randomBytes(8).toString("hex")}`);
      const file = await withStorageErrors(path, () => open(path, "wx", 0o600));
      const upload = new Upload(repository, opened, path, file);
      const timer = setTimeout(() => {
        if (upload.isBusy) timer.refresh();
        else void this.end(upload);
      }, this.#patienceMs);
      timer.unref();
      this.#going.set(upload.id, { upload, timer });
      return upload;
    } catch (error) {
      this.#lease.release();
      throw error;
    }
  }

  /** Throws a RegistryRefusal when there is no such upload into the repository. */
  find(repository: string, id: string): Upload {
    const found = this.#going.get(id);
    if (found === undefined || found.upload.repository !== repository)
      throw new RegistryRefusal(404, "BLOB_UPLOAD_UNKNOWN", "no such upload");
    found.timer.refresh();
    return found.upload;
  }

  /** Forgets an upload, with what it has received unless that has become a blob. */
  async end(upload: Upload): Promise<void> {
    const found = this.#going.get(upload.id);
    if (found === undefined) return;
    this.#going.delete(upload.id);
    clearTimeout(found.timer);
    await upload.discard();
    this.#lease.release();
  }

  async endAll(): Promise<void> {
    await Promise.all([...this.#going.values()].map(({ upload }) => this.end(upload)));
  }
}
