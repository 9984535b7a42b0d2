import fc from "fast-check";
import { encodeName } from "../../src/base/file-name.ts";
import { dir, file, hardlink, type LayerItem, opaque, special, symlink, whiteout } from "../support/layer-builder.ts";

type Kind = "file" | "directory" | "symlink" | "hardlink" | "fifo" | "whiteout" | "opaque";

interface Wish {
  readonly path: readonly string[];
  readonly kind: Kind;
  readonly text: string;
  readonly mode: number;
  readonly owner: number;
  readonly mtimeSeconds: number;
}

const names = ["a", "b", "a.b", "a b", "é", "😀", "\udcff", "-rf", "__proto__", "n\n"];

const wish = (kinds: readonly Kind[]): fc.Arbitrary<Wish> =>
  fc.record({
    path: fc.array(fc.constantFrom(...names), { minLength: 1, maxLength: 4 }),
    kind: fc.constantFrom(...kinds),
    text: fc.string({ maxLength: 20 }),
    mode: fc.constantFrom(0o644, 0o755, 0o700, 0o4755, 0o1777, 0o000),
    owner: fc.constantFrom(0, 1, 1000, 3_000_000),
    mtimeSeconds: fc.constantFrom(0, 1, 1_600_000_000, 1_700_000_000),
  });

/**
 * Makes a consistent layer of any list of wishes: parents are directories, of equal paths the first counts, nothing is
 * deleted that is hidden anyway.
 */
function grant(wishes: readonly Wish[]): readonly LayerItem[] {
  const items = new Map<string, LayerItem>();
  const opaques = new Set<string>();
  const files: string[] = [];
  for (const { path, kind, text, mode, owner, mtimeSeconds } of wishes) {
    const facts = { mode, uid: owner, gid: owner, mtimeSeconds };
    const parents = path.slice(0, -1).map((_name, at) => path.slice(0, at + 1).join("/"));
    if (parents.some((parent) => items.has(parent) && items.get(parent)?.row.type !== "directory")) continue;
    const here = path.join("/");
    if (kind === "opaque") {
      if (items.get(here)?.row.type === "directory") opaques.add(here);
      continue;
    }
    if (items.has(here)) continue;
    for (const parent of parents) if (!items.has(parent)) items.set(parent, dir(parent, facts));
    const target = files[0];
    if (kind === "hardlink" && target === undefined) continue;
    if (kind === "file") files.push(here);
    items.set(here, make(kind, here, text, facts, target ?? ""));
  }
  const isHidden = (path: string): boolean => [...opaques].some((directory) => path.startsWith(`${directory}/`));
  const needed = [...items.values()].filter(({ row }) => row.type !== "whiteout" || !isHidden(row.path));
  return withLinksInOrder([...needed, ...[...opaques].map(opaque)]);
}

function make(kind: Kind, path: string, text: string, facts: object, target: string): LayerItem {
  switch (kind) {
    case "directory":
      return dir(path, facts);
    case "symlink":
      return symlink(path, text.replaceAll("\0", "") || "x", { ...facts, mode: 0o777 });
    case "hardlink":
      return hardlink(path, target);
    case "fifo":
      return special(path, "fifo", facts);
    case "whiteout":
      return whiteout(path);
    default:
      return file(path, text, facts);
  }
}

/** A hard link has the metadata of its file and stands behind it; one that would not is left out. */
function withLinksInOrder(items: readonly LayerItem[]): readonly LayerItem[] {
  const files = new Map(items.map((item) => [item.row.path, item]));
  return items.flatMap((item) => {
    if (item.row.type !== "hardlink") return [item];
    const target = files.get(item.row.target as string);
    if (target === undefined || Buffer.compare(sortKey(target), sortKey(item)) >= 0) return [];
    const { mode, uid, gid, mtimeSeconds } = target.row;
    return [hardlink(item.row.path, target.row.path, { mode, uid, gid, mtimeSeconds })];
  });
}

const sortKey = (item: LayerItem): Buffer =>
  encodeName(item.row.path).map((byte) => (byte === 0x2f ? 0 : byte)) as Buffer;

/** A layer on nothing. */
export const treeItems = fc
  .array(wish(["file", "file", "directory", "symlink", "hardlink", "fifo"]), { maxLength: 25 })
  .map(grant);

/** A layer on others: it may delete and hide. */
export const layerItems = fc
  .array(wish(["file", "file", "directory", "directory", "symlink", "hardlink", "whiteout", "whiteout", "opaque"]), {
    maxLength: 20,
  })
  .map(grant);
