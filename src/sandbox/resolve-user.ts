import { BuildError } from "../base/errors.ts";
import type { GroupRow, UserRow } from "../image/user-database.ts";

/** Who a process runs as. */
export interface Identity {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups; the primary one is among them. */
  readonly groups: readonly number[];
  /** What HOME is when the environment does not say. */
  readonly home: string;
}

/** The kernel takes -1 (2^32-1) as "leave it as it is". */
const idLimit = 0xffff_fffe;

function parseId(text: string, what: string): number | null {
  if (!/^\d+$/.test(text)) return null;
  const id = Number(text);
  if (id > idLimit) {
    throw new BuildError("RUN_USER_NOT_FOUND", `${what} ${text}: out of range, want at most ${idLimit}`);
  }
  return id;
}

const homeOf = (users: readonly UserRow[], uid: number): string => users.find((row) => row.uid === uid)?.home || "/";

/**
 * Who USER means: "", "name", "1000", "name:group", "1000:1000", … Names are looked up in the image's own files. A user
 * without ":group" has the groups that list it, and an unknown number has group 0; with ":group" there are no others.
 * Throws RUN_USER_NOT_FOUND for a name that is not there.
 */
export function resolveUser(user: string, users: readonly UserRow[], groups: readonly GroupRow[]): Identity {
  const [userText = "", groupText = ""] = user.split(":", 2);
  const wantedUser = userText === "" ? "0" : userText;
  const number = parseId(wantedUser, "user");
  const row = users.find((candidate) => (number === null ? candidate.name === wantedUser : candidate.uid === number));
  const uid = row?.uid ?? number;
  if (uid === null) {
    throw new BuildError(
      "RUN_USER_NOT_FOUND",
      `unable to find user ${wantedUser}: no matching entries in passwd file`,
      {
        hint: "create the user in an earlier RUN, or use a numeric id",
        details: { user },
      },
    );
  }
  const home = homeOf(users, uid);
  if (groupText === "") {
    const gid = row?.gid ?? 0;
    const others = row === undefined ? [] : groups.filter((group) => group.members.includes(row.name));
    return { uid, gid, groups: [...new Set([gid, ...others.map((group) => group.gid)])], home };
  }
  const groupNumber = parseId(groupText, "group");
  const gid = groupNumber ?? groups.find((candidate) => candidate.name === groupText)?.gid;
  if (gid === undefined) {
    throw new BuildError("RUN_USER_NOT_FOUND", `unable to find group ${groupText}: no matching entries in group file`, {
      hint: "create the group in an earlier RUN, or use a numeric id",
      details: { user },
    });
  }
  return { uid, gid, groups: [gid], home };
}
