import { compareNames } from "../base/file-name.ts";
import type { Entry } from "./entry.ts";
import type { FileTree } from "./file-tree.ts";
import { baseNameOf } from "./path-order.ts";

/** How a path differs between two trees. */
export interface TreeChange {
  readonly kind: "added" | "changed" | "removed";
  readonly path: string;
  /** Of the content; null where nothing is. */
  readonly bytesBefore: number | null;
  readonly bytesAfter: number | null;
}

interface Pair {
  readonly old: Entry | null;
  readonly now: Entry | null;
}

/**
 * Every path at which two trees differ, a directory before its content: in type, mode, owner, target, device, extended
 * attributes or content. Times do not count, nor which names are hard links. Contents are compared by digest. Below a
 * directory of both trees for which `mayDiffer` does not hold nothing is looked at.
 */
export function* compareTrees(
  before: FileTree,
  after: FileTree,
  mayDiffer: (directory: string) => boolean = () => true,
): Generator<TreeChange, void> {
  const childrenOf = ({ old, now }: Pair): readonly Pair[] =>
    pair(old?.type === "directory" ? before.list(old.path) : [], now?.type === "directory" ? after.list(now.path) : []);
  const left = childrenOf({ old: before.lstat(""), now: after.lstat("") }).toReversed();
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const { old, now } = next;
    const kind = kindOf(next);
    const path = (now ?? old)?.path ?? "";
    if (kind !== null) yield { kind, path, bytesBefore: old?.size ?? null, bytesAfter: now?.size ?? null };
    if (old?.type === "directory" && now?.type === "directory" && !mayDiffer(path)) continue;
    for (const child of childrenOf(next).toReversed()) left.push(child);
  }

  function kindOf({ old, now }: Pair): TreeChange["kind"] | null {
    if (old === null) return now === null ? null : "added";
    if (now === null) return "removed";
    return haveSameFacts(old, now) && haveSameContent(old, now) ? null : "changed";
  }

  function haveSameContent(old: Entry, now: Entry): boolean {
    return old.type !== "file" || before.digest(old) === after.digest(now);
  }
}

/** Entries of the same name side by side; both lists are sorted by name. */
function pair(olds: readonly Entry[], nows: readonly Entry[]): readonly Pair[] {
  const pairs: Pair[] = [];
  for (let [oldAt, nowAt] = [0, 0]; oldAt < olds.length || nowAt < nows.length; ) {
    const [old = null, now = null] = [olds[oldAt], nows[nowAt]];
    const order = old === null ? 1 : now === null ? -1 : compareNames(baseNameOf(old.path), baseNameOf(now.path));
    pairs.push({ old: order <= 0 ? old : null, now: order >= 0 ? now : null });
    if (order <= 0) oldAt += 1;
    if (order >= 0) nowAt += 1;
  }
  return pairs;
}

const haveSameFacts = (a: Entry, b: Entry): boolean =>
  a.type === b.type &&
  a.mode === b.mode &&
  a.uid === b.uid &&
  a.gid === b.gid &&
  a.size === b.size &&
  a.target === b.target &&
  a.device?.major === b.device?.major &&
  a.device?.minor === b.device?.minor &&
  haveSameXattrs(a.xattrs ?? {}, b.xattrs ?? {});

function haveSameXattrs(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => Object.hasOwn(b, name) && a[name] === b[name]);
}
