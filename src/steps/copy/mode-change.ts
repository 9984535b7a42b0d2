import { BuildError } from "../../base/errors.ts";

/** What `--chmod` does to a file's mode. */
export interface ModeChange {
  /** The new mode of a file or directory that had `mode`. */
  apply(mode: number, isDirectory: boolean): number;
  /** Mode of directories made on the way to the destination; special bits never reach those. */
  readonly newDirectoryMode: number;
}

const setIds = 0o6000;
const sticky = 0o1000;
const permissions: Readonly<Record<string, number>> = { r: 0o444, w: 0o222, x: 0o111, X: 0o111, s: setIds, t: sticky };
/** Bits each class of users owns. */
const classes: Readonly<Record<string, number>> = { u: 0o4700, g: 0o2070, o: 0o0007, a: 0o6777 };
const shifts: Readonly<Record<string, number>> = { u: 6, g: 3, o: 0 };

interface Clause {
  readonly operator: "+" | "-" | "=";
  /** Bits the clause may change; null when no class was named: all of them. */
  readonly who: number | null;
  /** Letters `rwxXst`, or one of `ugo`: a class to copy from. */
  readonly letters: string;
}

/**
 * Parses a `--chmod` value: octal up to 07777, or the symbols of chmod(1) with umask 0 (`u=rwX,go-w`).
 * Throws DOCKERFILE_BAD_ARGUMENT for anything else.
 */
export function parseModeChange(text: string): ModeChange {
  if (/^\d/.test(text)) {
    const mode = /^[0-7]{1,12}$/.test(text) ? Number.parseInt(text, 8) : Number.NaN;
    if (!(mode <= 0o7777)) {
      throw new BuildError(
        "DOCKERFILE_BAD_ARGUMENT",
        `chmod parameter ${JSON.stringify(text)} is invalid: want octal digits between 0 and 07777`,
      );
    }
    return { apply: () => mode, newDirectoryMode: mode & 0o777 };
  }
  const clauses = text.split(",").flatMap((part) => parseClauses(part, text));
  return {
    apply: (mode, isDirectory) => clauses.reduce((bits, clause) => applyClause(clause, bits, mode, isDirectory), mode),
    newDirectoryMode: 0o755,
  };
}

function parseClauses(part: string, whole: string): Clause[] {
  const match = /^([ugoa]*)((?:[-+=][rwxXstugo]*)+)$/.exec(part);
  if (match === null) {
    throw new BuildError("DOCKERFILE_BAD_ARGUMENT", `chmod parameter ${JSON.stringify(whole)} has an invalid syntax`, {
      hint: "use an octal mode such as 0755, or symbols such as u=rwX,go=rX",
    });
  }
  const named = [...(match[1] ?? "")];
  const who = named.length === 0 ? null : named.reduce((bits, letter) => bits | (classes[letter] ?? 0), 0);
  return [...(match[2] ?? "").matchAll(/([-+=])([rwxXstugo]*)/g)].map(([, operator, letters]) => ({
    operator: operator as Clause["operator"],
    who,
    letters: letters ?? "",
  }));
}

function applyClause(clause: Clause, bits: number, original: number, isDirectory: boolean): number {
  const { operator, letters } = clause;
  const onlyOthers = clause.who !== null && (clause.who & ~0o007) === 0;
  let who = clause.who ?? 0o6777;
  let value = 0;
  for (const letter of letters) {
    const shift = shifts[letter];
    if (shift !== undefined) {
      const copied = (bits >> shift) & 0o7;
      value |= (copied << 6) | (copied << 3) | copied;
    } else if (letter === "X") {
      // Removing takes execution away from everybody; adding only touches what somebody may execute already.
      if (operator === "-" || isDirectory || (original & 0o111) !== 0) value |= 0o111;
    } else if (letter === "s" || letter === "t") {
      if (onlyOthers) continue;
      value |= permissions[letter] ?? 0;
      if (letter === "t") who |= sticky;
    } else {
      value |= permissions[letter] ?? 0;
    }
  }
  if (operator === "+") return bits | (value & who);
  if (operator === "-") return bits & ~(value & who);
  return (bits & ~who) | (value & who);
}
