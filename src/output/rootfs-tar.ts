import { createHash, type Hash } from "node:crypto";
import { digestFromHex } from "../base/digest.ts";
import { BuildError } from "../base/errors.ts";
import { compareNames } from "../base/file-name.ts";
import type { Entry } from "../layer/entry.ts";
import type { FileTree } from "../layer/file-tree.ts";
import type { NewRow } from "../layer/layer-writer.ts";
import { openRootfsView } from "../layer/rootfs-view.ts";
import { encodeTarHeader, paddingAfter, tarEnd } from "../layer/tar-encoder.ts";
import { ChunkFiller } from "../store/chunk-filler.ts";
import { type RootfsSpec, walkTree } from "./rootfs-walk.ts";

/**
 * Merged root file systems as one tar, in chunks; owners, modes, times and links are those of the layers, nothing tells
 * what was deleted. Throws BLOB_DIGEST_MISMATCH for content that is not what its layer says.
 */
export function* rootfsTar(roots: readonly RootfsSpec[]): Generator<Uint8Array> {
  const chunks = new ChunkFiller();
  for (const { folder, layers } of [...roots].sort((a, b) => compareNames(a.folder, b.folder))) {
    const tree = openRootfsView(layers);
    const root = tree.lstat("");
    if (folder !== "" && root !== null) yield* chunks.add(encodeTarHeader(rowOf(root, folder)));
    for (const { entry, path, linkTo } of walkTree(tree, folder)) {
      const row: NewRow =
        linkTo === null ? rowOf(entry, path) : { ...rowOf(entry, path), type: "hardlink", target: linkTo, size: 0 };
      yield* chunks.add(encodeTarHeader(row));
      if (row.type === "file") yield* contentOf(tree, entry, chunks);
    }
  }
  yield* chunks.add(tarEnd);
  yield chunks.rest();
}

const rowOf = (entry: Entry, path: string): NewRow => ({
  path,
  type: entry.type,
  mode: entry.mode,
  uid: entry.uid,
  gid: entry.gid,
  mtimeSeconds: entry.mtimeSeconds,
  mtimeNanos: entry.mtimeNanos,
  xattrs: entry.xattrs,
  size: entry.size,
  target: entry.target,
  device: entry.device,
});

function* contentOf(tree: FileTree, entry: Entry, chunks: ChunkFiller): Generator<Uint8Array> {
  const reader = tree.open(entry);
  const hash = createHash("sha256");
  try {
    let left = entry.size;
    while (left > 0) {
      const space = chunks.space(left);
      const got = reader.read(space);
      if (got === 0) break;
      hash.update(space.subarray(0, got));
      yield* chunks.filled(got);
      left -= got;
    }
    checkContent(tree, entry, hash);
  } finally {
    reader.close();
  }
  yield* chunks.add(tarEnd.subarray(0, paddingAfter(entry.size)));
}

function checkContent(tree: FileTree, entry: Entry, hash: Hash): void {
  const [got, want] = [digestFromHex(hash.digest("hex")), tree.digest(entry)];
  if (got !== want)
    throw new BuildError("BLOB_DIGEST_MISMATCH", `content of ${JSON.stringify(entry.path)}: got ${got}, want ${want}`);
}
