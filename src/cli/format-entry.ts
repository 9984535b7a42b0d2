import type { Entry, EntryType } from "../layer/entry.ts";
import { baseNameOf } from "../layer/path-order.ts";

const typeLetters: Readonly<Record<EntryType, string>> = {
  file: "-",
  directory: "d",
  symlink: "l",
  char: "c",
  block: "b",
  fifo: "p",
};

/** A file's type and mode as `ls -l` shows them: `-rwsr-xr-x`. */
export function formatMode({ type, mode }: Pick<Entry, "type" | "mode">): string {
  const letters = [6, 3, 0].map((shift, at) => {
    const [read, write, execute] = [mode & (4 << shift), mode & (2 << shift), mode & (1 << shift)];
    const special = mode & (0o4000 >> at);
    const mark = at === 2 ? "t" : "s";
    const last = special ? (execute ? mark : mark.toUpperCase()) : execute ? "x" : "-";
    return `${read ? "r" : "-"}${write ? "w" : "-"}${last}`;
  });
  return typeLetters[type] + letters.join("");
}

/** The cells of a file's line: mode, owner, size or device, time in UTC, name with a link's target. */
export function entryCells(entry: Entry): readonly string[] {
  const { device, target } = entry;
  return [
    formatMode(entry),
    `${entry.uid}:${entry.gid}`,
    device === null ? String(entry.size) : `${device.major},${device.minor}`,
    formatTime(entry.mtimeSeconds),
    target === null ? baseNameOf(entry.path) : `${baseNameOf(entry.path)} -> ${target}`,
  ];
}

/** `2024-05-06 07:08`; times no calendar has are shown as the seconds they are. */
function formatTime(seconds: number): string {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? `@${seconds}` : date.toISOString().slice(0, 16).replace("T", " ");
}
