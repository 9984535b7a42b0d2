/** A row of /etc/passwd. */
export interface UserRow {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

/** A row of /etc/group. */
export interface GroupRow {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

const rows = (text: string): string[][] =>
  text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => line.split(":"));

const parseId = (text: string | undefined): number | null =>
  text !== undefined && /^\d{1,10}$/.test(text) && Number(text) <= 0xffff_ffff ? Number(text) : null;

/** Rows of an /etc/passwd file (passwd(5)); lines that are not rows are skipped, as libc does. */
export function parsePasswd(text: string): readonly UserRow[] {
  return rows(text).flatMap(([name, , uidText, gidText, , home]) => {
    const uid = parseId(uidText);
    const gid = parseId(gidText);
    return name === undefined || uid === null || gid === null ? [] : [{ name, uid, gid, home: home ?? "" }];
  });
}

/** Rows of an /etc/group file (group(5)); lines that are not rows are skipped. */
export function parseGroup(text: string): readonly GroupRow[] {
  return rows(text).flatMap(([name, , gidText, members]) => {
    const gid = parseId(gidText);
    if (name === undefined || gid === null) return [];
    return [{ name, gid, members: (members ?? "").split(",").filter((member) => member !== "") }];
  });
}
