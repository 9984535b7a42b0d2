import { compareNames } from "../base/file-name.ts";
import { encodeTar, type TarEntry } from "../layer/encode-tar.ts";
import { type RootfsSpec, rootfsEntries } from "./rootfs-entries.ts";

/**
 * Merged root file systems as one tar, in chunks; owners, modes, times and links are those of the layers, nothing tells
 * what was deleted. Throws BLOB_DIGEST_MISMATCH for content that is not what its layer says.
 */
export function rootfsTar(roots: readonly RootfsSpec[]): Generator<Uint8Array, void> {
  return encodeTar(allEntries([...roots].sort((a, b) => compareNames(a.folder, b.folder))));
}

function* allEntries(roots: readonly RootfsSpec[]): Generator<TarEntry, void> {
  for (const root of roots) yield* rootfsEntries(root);
}
