import { createHash } from "node:crypto";
import { type Digest, digestFromHex, digestOf } from "../../base/digest.ts";
import type { Entry } from "../../layer/entry.ts";
import { readerOf } from "../../layer/file-readers.ts";
import type { FileReader, FileTree, TarRange } from "../../layer/file-tree.ts";
import type { SpoolFile } from "./spool-file.ts";

/** The content of a regular file, wherever it comes from. */
export interface Content {
  /** Throws CONTEXT_FILE_CHANGED when it is not what it was. */
  open(): FileReader;
  digest(): Digest;
  /** As `digest`, but null where the content would have to be read. */
  knownDigest(): Digest | null;
  /** Where it lies in a tar of a layer; null when it does not. */
  tarRange(): TarRange | null;
  /** Takes what reading all of it gave. */
  note(digest: Digest): void;
}

/** Content of a file of a tree. */
export class TreeContent implements Content {
  readonly #tree: FileTree;
  readonly #entry: Entry;

  constructor(tree: FileTree, entry: Entry) {
    this.#tree = tree;
    this.#entry = entry;
  }

  open(): FileReader {
    return this.#tree.open(this.#entry);
  }

  digest(): Digest {
    return this.#tree.digest(this.#entry);
  }

  knownDigest(): Digest | null {
    return this.#tree.knownDigest(this.#entry);
  }

  tarRange(): TarRange | null {
    return this.#tree.tarRange(this.#entry);
  }

  note(digest: Digest): void {
    this.#tree.noteDigest(this.#entry, digest);
  }
}

/** Content that is in memory: a heredoc. */
export class InlineContent implements Content {
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  open(): FileReader {
    return readerOf(this.#bytes);
  }

  digest(): Digest {
    return digestOf(this.#bytes);
  }

  knownDigest(): null {
    return null;
  }

  tarRange(): null {
    return null;
  }

  note(): void {}
}

/** Content that is part of a file of this machine which is held open: a member of an archive. */
export class RangeContent implements Content {
  readonly #file: SpoolFile;
  readonly #offset: number;
  readonly #sizeBytes: number;

  constructor(file: SpoolFile, offset: number, sizeBytes: number) {
    this.#file = file;
    this.#offset = offset;
    this.#sizeBytes = sizeBytes;
  }

  open(): FileReader {
    let done = 0;
    return {
      read: (into) => {
        const part = into.subarray(0, this.#sizeBytes - done);
        const got = part.length === 0 ? 0 : this.#file.readAt(part, this.#offset + done);
        done += got;
        return got;
      },
      close() {},
    };
  }

  digest(): Digest {
    const hash = createHash("sha256");
    const reader = this.open();
    const buffer = Buffer.allocUnsafe(1 << 16);
    for (let got = reader.read(buffer); got > 0; got = reader.read(buffer)) hash.update(buffer.subarray(0, got));
    return digestFromHex(hash.digest("hex"));
  }

  knownDigest(): null {
    return null;
  }

  tarRange(): null {
    return null;
  }

  note(): void {}
}
