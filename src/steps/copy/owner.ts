import { BuildError } from "../../base/errors.ts";
import { parseGroup, parsePasswd } from "../../image/user-database.ts";
import { readAll } from "../../layer/file-readers.ts";
import type { FileTree } from "../../layer/file-tree.ts";
import { resolveInTree } from "../../layer/resolve-path.ts";

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

const databaseLimitBytes = 10 * 1024 * 1024;

/**
 * The owner `user[:group]` names: ids, or names looked up in /etc/passwd and /etc/group of `root` (null: there is no
 * file system to look in). A number alone is user and group; an unknown user is root, an unknown group changes nothing,
 * and an empty part on either side of the colon is 0.
 * Throws DOCKERFILE_BAD_ARGUMENT for a name when `root` is null.
 */
export function lookupOwner(text: string, root: FileTree | null): Owner {
  const colon = text.indexOf(":");
  const user = colon < 0 ? text : text.slice(0, colon);
  const group = colon < 0 ? null : text.slice(colon + 1);
  const uid = parseId(user);
  const owner = uid !== null ? { uid, gid: uid } : lookupUser(user, searchable(root, text));
  if (group === null) return owner;
  const gid = parseId(group) ?? lookupGroup(group, searchable(root, text));
  return { uid: owner.uid, gid: gid ?? owner.gid };
}

/** Ids are 32 bits signed; "root" and "" need no file. */
function parseId(text: string): number | null {
  if (text === "root" || text === "") return 0;
  return /^\d{1,10}$/.test(text) && Number(text) <= 0x7fff_ffff ? Number(text) : null;
}

function searchable(root: FileTree | null, text: string): FileTree {
  if (root !== null) return root;
  throw new BuildError(
    "DOCKERFILE_BAD_ARGUMENT",
    `owner ${JSON.stringify(text)} cannot be looked up: there is no file system with /etc/passwd and /etc/group yet`,
    { hint: "use numeric ids, or copy without --link on top of an image that has these files" },
  );
}

function lookupUser(name: string, root: FileTree): Owner {
  const row = parsePasswd(readDatabase(root, "etc/passwd")).find((user) => user.name === name);
  return row === undefined ? { uid: 0, gid: 0 } : { uid: row.uid, gid: row.gid };
}

function lookupGroup(name: string, root: FileTree): number | null {
  return parseGroup(readDatabase(root, "etc/group")).find((group) => group.name === name)?.gid ?? null;
}

/** Text of a file of the image; "" when it is no regular file. Throws IMAGE_INVALID when it is absurdly large. */
function readDatabase(root: FileTree, path: string): string {
  const entry = root.lstat(resolveInTree(root, path, "all"));
  if (entry?.type !== "file") return "";
  if (entry.size > databaseLimitBytes) {
    throw new BuildError("IMAGE_INVALID", `"/${path}" has ${entry.size} bytes, want at most ${databaseLimitBytes}`);
  }
  return readAll(root.open(entry), databaseLimitBytes).toString("utf8");
}
