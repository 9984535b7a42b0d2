import { join } from "node:path";
import { BuildError, isBuildError } from "../../base/errors.ts";
import { decompress } from "../../layer/decompress.ts";
import type { Entry } from "../../layer/entry.ts";
import { SparseExpander } from "../../layer/expand-sparse.ts";
import type { FileReader, FileTree } from "../../layer/file-tree.ts";
import { isSparseRefusal } from "../../layer/tar-header-reader.ts";
import { defaultTarLimits } from "../../layer/tar-member.ts";
import { TarSplitter } from "../../layer/tar-splitter.ts";
import { type ArchiveMember, archiveMember } from "./archive-member.ts";
import { type PackedAction, sourcesOf } from "./packed-action.ts";
import type { SourceTrees } from "./source-trees.ts";
import { SpoolFile } from "./spool-file.ts";
import type { Archive } from "./unpack-members.ts";

const chunkBytes = 1 << 18;

/** The archives among the sources of ADD. */
export class Archives {
  readonly #byTree = new Map<FileTree, Map<string, Archive>>();

  find(tree: FileTree, entry: Entry): Archive | null {
    return this.#byTree.get(tree)?.get(entry.path) ?? null;
  }

  add(tree: FileTree, entry: Entry, archive: Archive): void {
    const known = this.#byTree.get(tree) ?? new Map<string, Archive>();
    this.#byTree.set(tree, known.set(entry.path, archive));
  }

  /** Removes the uncompressed archives. */
  remove(): void {
    for (const archives of this.#byTree.values()) for (const archive of archives.values()) archive.content.remove();
  }
}

/**
 * Uncompresses the archives that `actions` unpack into new files in `directory`. Throws CONTEXT_PATH_NOT_FOUND,
 * ADD_ARCHIVE_INVALID.
 */
export async function expandArchives(
  actions: readonly PackedAction[],
  trees: SourceTrees,
  directory: string,
): Promise<Archives> {
  const archives = new Archives();
  let count = 0;
  for (const action of actions) {
    if (action.kind !== "paths" || action.unpack === "never") continue;
    const { tree, sources } = sourcesOf(action, trees);
    for (const { entry } of sources) {
      if (entry.type !== "file" || archives.find(tree, entry) !== null) continue;
      const archive = await expandArchive(tree, entry, join(directory, `archive-${count}`));
      if (archive === null) continue;
      archives.add(tree, entry, archive);
      count += 1;
    }
  }
  return archives;
}

/**
 * The archive a file is, uncompressed into the new file `tarFile`: a tar, plain or in gzip, bzip2, xz or zstd, told by
 * its content. Null when it is none: it does not uncompress, or does not begin with the header of a member.
 * Throws ADD_ARCHIVE_INVALID when it is damaged further on, or too large.
 */
export async function expandArchive(tree: FileTree, entry: Entry, tarFile: string): Promise<Archive | null> {
  const archive = await spoolArchive(tree, entry, tarFile, "refused").catch((error: unknown) => {
    if (isSparseRefusal(error)) return spoolArchive(tree, entry, tarFile, "filled");
    throw error;
  });
  if (archive.members.length > 0) return archive;
  archive.content.remove();
  return null;
}

/** As `expandArchive`, but without a member for what is none. Files with holes are refused, or filled in `tarFile`. */
async function spoolArchive(
  tree: FileTree,
  entry: Entry,
  tarFile: string,
  holes: "refused" | "filled",
): Promise<{ readonly content: SpoolFile; readonly members: readonly ArchiveMember[] }> {
  const members: ArchiveMember[] = [];
  // That there are holes says that it is an archive.
  let hasMember = holes === "filled";
  const splitter = new TarSplitter(defaultTarLimits, {
    member(member) {
      hasMember = true;
      members.push(archiveMember(member));
    },
    content() {},
    memberEnd() {},
  });
  const content = new SpoolFile(tarFile);
  const take = (bytes: Buffer): void => {
    splitter.push(bytes);
    content.append(bytes);
  };
  const expander = holes === "filled" ? new SparseExpander(defaultTarLimits, take) : null;
  const reader = tree.open(entry);
  try {
    await decompress(chunksOf(reader), ["gzip", "bzip2", "xz", "zstd"], (chunk) => {
      if ((expander ?? splitter).isAtEnd) throw new BuildError("LAYER_MALFORMED", "data behind the end of the archive");
      if (expander === null) take(chunk);
      else expander.push(chunk);
    });
    expander?.end();
    splitter.end();
  } catch (error) {
    const isRefused = isBuildError(error) && error.code.startsWith("LAYER_");
    const isTooLate = hasMember && !(expander ?? splitter).isAtEnd;
    if (!isRefused || isTooLate || isSparseRefusal(error)) {
      content.remove();
      throw isRefused && !isSparseRefusal(error) ? invalidArchive(entry, error) : error;
    }
  } finally {
    reader.close();
  }
  return { content, members };
}

/** The error for archive `entry`, whose content is refused because of `cause`. */
export function invalidArchive(entry: Entry, cause: BuildError): BuildError {
  return new BuildError("ADD_ARCHIVE_INVALID", `archive ${JSON.stringify(`/${entry.path}`)}: ${cause.message}`, {
    hint: "use COPY, or ADD --unpack=false, to have the archive itself in the image",
    cause,
  });
}

function* chunksOf(reader: FileReader): Generator<Buffer, void> {
  for (;;) {
    const chunk = Buffer.allocUnsafeSlow(chunkBytes);
    const got = reader.read(chunk);
    if (got === 0) return;
    yield chunk.subarray(0, got);
  }
}
