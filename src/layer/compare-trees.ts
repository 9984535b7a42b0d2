import { compareNames } from "../base/file-name.ts";
import type { Entry } from "./entry.ts";
import type { FileTree } from "./file-tree.ts";
import { baseNameOf } from "./path-order.ts";

/** How a path differs between two trees. */
export interface TreeChange {
  readonly kind: "added" | "changed" | "removed";
  readonly path: string;
}

interface Pair {
  readonly old: Entry | null;
  readonly now: Entry | null;
}

/**
 * Every path at which two trees differ, a directory before its content: in type, mode, owner, target, device, extended
 * attributes or content. Times do not count, nor which names are hard links. Contents are compared by digest.
 */
export function* compareTrees(before: FileTree, after: FileTree): Generator<TreeChange, void> {
  const childrenOf = ({ old, now }: Pair): readonly Pair[] =>
    pair(old?.type === "directory" ? before.list(old.path) : [], now?.type === "directory" ? after.list(now.path) : []);
  const left = childrenOf({ old: before.lstat(""), now: after.lstat("") }).toReversed();
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const { old, now } = next;
    if (old === null && now !== null) yield { kind: "added", path: now.path };
    else if (old !== null && now === null) yield { kind: "removed", path: old.path };
    else if (old !== null && now !== null && !(haveSameFacts(old, now) && haveSameContent(old, now)))
      yield { kind: "changed", path: now.path };
    for (const child of childrenOf(next).toReversed()) left.push(child);
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
