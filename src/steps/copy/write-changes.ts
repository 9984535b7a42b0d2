import { compareNames } from "../../base/file-name.ts";
import type { EarlierLayer } from "../../layer/earlier-layer.ts";
import type { Entry } from "../../layer/entry.ts";
import type { TarRange } from "../../layer/file-tree.ts";
import { type LayerWriter, type NewRow, openLayerWriter, type PackedLayer } from "../../layer/layer-writer.ts";
import { baseNameOf, childPath } from "../../layer/path-order.ts";
import type { Content } from "./content.ts";
import {
  childrenOf,
  isPendingDirectory,
  type PendingDirectory,
  type PendingFile,
  type PendingTree,
} from "./pending-tree.ts";

/** What went into a layer. */
export interface WriteCounts {
  readonly rows: number;
  /** Bytes of file content. */
  readonly contentBytes: number;
}

/**
 * Makes the layer of what `pending` changes: `index` and `tar` in an existing directory. Contents that the tar of
 * `earlier` has are taken from there; the bytes are the same.
 */
export function packChanges(
  pending: PendingTree,
  directory: string,
  earlier: EarlierLayer | null = null,
): { readonly layer: PackedLayer; readonly counts: WriteCounts } {
  const writer = openLayerWriter(directory, { keepTar: true });
  try {
    const counts = writeChanges(pending, writer, earlier);
    return { layer: writer.finish(), counts };
  } catch (error) {
    writer.abandon();
    throw error;
  }
}

/** The one extended attribute that reaches a layer. */
const capability = "security.capability";

/**
 * Writes what `pending` changes about its parent as a layer: every entry that differs, and right before it the
 * directories it lies in that were not written yet. A directory whose mtime alone changed is no difference. What the
 * parent has already is left out, and nothing marks an entry that another one replaced.
 */
export function writeChanges(
  pending: PendingTree,
  writer: LayerWriter,
  earlier: EarlierLayer | null = null,
): WriteCounts {
  const writing = new ChangeWriter(pending, writer, earlier);
  writing.writeContent(pending.root);
  return { rows: writing.rows, contentBytes: writing.contentBytes };
}

class ChangeWriter {
  rows = 0;
  contentBytes = 0;
  readonly #pending: PendingTree;
  readonly #writer: LayerWriter;
  readonly #earlier: EarlierLayer | null;
  /** Directories around the current entry that are only written if something in them is. */
  #held: PendingDirectory[] = [];
  /** The first name each file that may have several was written under. */
  readonly #written = new Map<PendingFile, string>();
  /** All names of the files that have several, if the parent may have had one of them. */
  readonly #names: ReadonlyMap<PendingFile, readonly Name[]>;

  constructor(pending: PendingTree, writer: LayerWriter, earlier: EarlierLayer | null) {
    this.#pending = pending;
    this.#writer = writer;
    this.#earlier = earlier;
    this.#names = linkedNames(pending.root);
  }

  writeContent(directory: PendingDirectory): void {
    const { fill } = directory;
    const children = childrenOf(directory);
    for (const name of this.#namesIn(directory)) {
      const path = childPath(directory.path, name);
      const node = children.get(name);
      if (node === undefined) {
        this.#add(whiteoutRow(path), null);
      } else if (isPendingDirectory(node)) {
        this.#writeDirectory(node);
      } else if (this.#isChanged(node, path, directory)) {
        this.#writeFile(node, path);
      }
    }
    if (fill === null) return;
    // What was only looked at to be written is forgotten again.
    children.clear();
    directory.fill = fill;
  }

  #writeDirectory(directory: PendingDirectory): void {
    const isChanged = directory.lower === null || !sameAttributes(directory, directory.lower);
    if (isChanged) this.#add(directoryRow(directory), null);
    else this.#held.push(directory);
    this.writeContent(directory);
    if (!isChanged && this.#held.at(-1) === directory) this.#held.pop();
  }

  #writeFile(file: PendingFile, path: string): void {
    const first = this.#written.get(file);
    if (first !== undefined) {
      this.#add({ ...fileRow(file, path), type: "hardlink", size: 0, target: first }, null);
      return;
    }
    if (file.isLinked) this.#written.set(file, path);
    this.#add(fileRow(file, path), file);
  }

  #add(row: NewRow, file: PendingFile | null): void {
    const held = this.#held;
    this.#held = [];
    for (const directory of held) this.#addRow(directoryRow(directory), null);
    this.#addRow(row, file);
  }

  #addRow(row: NewRow, file: PendingFile | null): void {
    const content = file?.content ?? null;
    this.rows += 1;
    if (content === null) {
      this.#writer.add(row, null);
      return;
    }
    this.contentBytes += row.size;
    const range = content.tarRange() ?? this.#earlierRange(row, content);
    const digest =
      range === null
        ? this.#writer.add(row, content.open())
        : this.#writer.addFromTar(row, range, () => content.open());
    if (digest !== null) content.note(digest);
  }

  /** Where the earlier layer has the content of `row`. */
  #earlierRange(row: NewRow, content: Content): TarRange | null {
    if (this.#earlier === null) return null;
    const digest = content.knownDigest();
    return digest === null ? null : this.#earlier.find(row.path, row.size, digest);
  }

  /** Names to write, in order; of a directory that hides the parent's also those that are gone. */
  #namesIn(directory: PendingDirectory): readonly string[] {
    const names = new Set(childrenOf(directory).keys());
    if (directory.hidesParent) {
      for (const entry of this.#pending.parent.list(directory.path)) names.add(baseNameOf(entry.path));
    }
    return [...names].sort(compareNames);
  }

  /** Hard links are one file: all of its names are written if one has to be. */
  #isChanged(file: PendingFile, path: string, directory: PendingDirectory): boolean {
    const names = this.#names.get(file);
    if (names === undefined) return this.#differs(file, path, directory);
    return names.some((name) => this.#differs(file, name.path, name.directory));
  }

  #differs(file: PendingFile, path: string, directory: PendingDirectory): boolean {
    if (file.isNew || directory.lower === null) return true;
    const lower = this.#pending.parent.lstat(path);
    if (lower === null || lower.type !== file.type || !sameAttributes(file, lower)) return true;
    if (lower.mtimeSeconds !== file.mtimeSeconds || lower.size !== file.size || lower.target !== file.target)
      return true;
    if (lower.device?.major !== file.device?.major || lower.device?.minor !== file.device?.minor) return true;
    if (file.content === null) return false;
    return file.content.digest() !== this.#pending.parent.digest(lower);
  }
}

interface Name {
  readonly directory: PendingDirectory;
  readonly path: string;
}

function linkedNames(root: PendingDirectory): ReadonlyMap<PendingFile, readonly Name[]> {
  const all = new Map<PendingFile, Name[]>();
  if (!hasLinkedOverParent(root)) return all;
  const visit = (directory: PendingDirectory): void => {
    for (const [name, node] of childrenOf(directory)) {
      if (isPendingDirectory(node)) visit(node);
      else if (node.isLinked) {
        const names = all.get(node) ?? [];
        names.push({ directory, path: childPath(directory.path, name) });
        all.set(node, names);
      }
    }
  };
  visit(root);
  return new Map([...all].filter(([, names]) => names.length > 1));
}

/**
 * Whether a file that may have several names has one in a directory of the parent: elsewhere every file is new. A
 * directory that was not looked into yet is none of the parent.
 */
function hasLinkedOverParent(directory: PendingDirectory): boolean {
  for (const node of directory.children.values()) {
    if (isPendingDirectory(node) ? hasLinkedOverParent(node) : node.isLinked && directory.lower !== null) return true;
  }
  return false;
}

type Compared = Pick<Entry, "mode" | "uid" | "gid" | "xattrs">;

const sameAttributes = (a: Compared, b: Compared): boolean =>
  a.mode === b.mode && a.uid === b.uid && a.gid === b.gid && a.xattrs?.[capability] === b.xattrs?.[capability];

function layerXattrs(xattrs: Readonly<Record<string, string>> | null): Readonly<Record<string, string>> | null {
  const value = xattrs?.[capability];
  return value === undefined ? null : { [capability]: value };
}

const directoryRow = ({ path, mode, uid, gid, mtimeSeconds, xattrs }: PendingDirectory): NewRow => ({
  path,
  type: "directory",
  mode,
  uid,
  gid,
  mtimeSeconds,
  mtimeNanos: 0,
  xattrs: layerXattrs(xattrs),
  size: 0,
  target: null,
  device: null,
});

const fileRow = (file: PendingFile, path: string): NewRow => ({
  path,
  type: file.type,
  mode: file.mode,
  uid: file.uid,
  gid: file.gid,
  mtimeSeconds: file.mtimeSeconds,
  mtimeNanos: 0,
  xattrs: layerXattrs(file.xattrs),
  size: file.size,
  target: file.target,
  device: file.device,
});

const whiteoutRow = (path: string): NewRow => ({
  path,
  type: "whiteout",
  mode: 0,
  uid: 0,
  gid: 0,
  mtimeSeconds: 0,
  mtimeNanos: 0,
  xattrs: null,
  size: 0,
  target: null,
  device: null,
});
