import { createHash } from "node:crypto";
import { type Digest, digestFromHex, digestOf } from "../../base/digest.ts";
import type { Entry } from "../../layer/entry.ts";
import { openRange, readerOf } from "../../layer/file-readers.ts";
import type { FileReader, FileTree } from "../../layer/file-tree.ts";

/** The content of a regular file, wherever it comes from. */
export interface Content {
  /** Throws CONTEXT_FILE_CHANGED when it is not what it was. */
  open(): FileReader;
  digest(): Digest;
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
}

/** Content that is part of a file of this machine: a member of an unpacked archive. */
export class RangeContent implements Content {
  readonly #file: string;
  readonly #offset: number;
  readonly #sizeBytes: number;

  constructor(file: string, offset: number, sizeBytes: number) {
    this.#file = file;
    this.#offset = offset;
    this.#sizeBytes = sizeBytes;
  }

  open(): FileReader {
    return openRange(this.#file, this.#offset, this.#sizeBytes);
  }

  digest(): Digest {
    const hash = createHash("sha256");
    const reader = this.open();
    try {
      const buffer = Buffer.allocUnsafe(1 << 16);
      for (let got = reader.read(buffer); got > 0; got = reader.read(buffer)) hash.update(buffer.subarray(0, got));
    } finally {
      reader.close();
    }
    return digestFromHex(hash.digest("hex"));
  }
}
