import { createHash, type Hash, hash } from "node:crypto";
import { type Digest, digestFromHex } from "../base/digest.ts";
import type { DirectoryWriter } from "./directory-writer.ts";
import { type Inode, LayerAssembly } from "./layer-assembly.ts";
import type { TarMember } from "./tar-member.ts";
import type { TarSink } from "./tar-splitter.ts";

/** Takes the members of a layer's tar and assembles them; every content that counts is hashed on the way. */
export class LayerTarReader implements TarSink {
  readonly assembly: LayerAssembly;
  readonly #directory: DirectoryWriter | null;
  /** The file whose content is coming. */
  #inode: Inode | null = null;
  #contentHash: Hash | null = null;
  #contentDigest: Digest | null = null;

  /** `directory` gets the files as well; null for none. `maxNodes` as of LayerAssembly. */
  constructor(directory: DirectoryWriter | null, maxNodes: number) {
    this.#directory = directory;
    this.assembly = new LayerAssembly(directory, maxNodes);
  }

  member(member: TarMember): void {
    this.#inode = this.assembly.add(member);
    this.#contentHash = null;
    this.#contentDigest = null;
  }

  content(bytes: Buffer): void {
    const inode = this.#inode;
    if (inode === null) return;
    this.#directory?.write(bytes);
    if (bytes.length === inode.size) {
      this.#contentDigest = digestFromHex(hash("sha256", bytes, "hex"));
      return;
    }
    this.#contentHash ??= createHash("sha256");
    this.#contentHash.update(bytes);
  }

  memberEnd(): void {
    if (this.#inode === null) return;
    this.#inode.digest =
      this.#contentDigest ?? digestFromHex((this.#contentHash ?? createHash("sha256")).digest("hex"));
    this.#directory?.endFile();
    this.#inode = null;
  }
}
