import { execFileSync } from "node:child_process";
import {
  chmodSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { hexOf } from "../../../../src/base/digest.ts";
import type { ErrorCode } from "../../../../src/base/error-codes.ts";
import type { LayerRow } from "../../../../src/layer/entry.ts";
import { dir, file, hardlink, type LayerItem, special, symlink } from "../../../support/layer-builder.ts";

/** A time after every fixed one in the fixtures: files that a case makes without setting their time. */
export const freshSeconds = 1_800_000_000;
/** The clock of the build. */
export const nowSeconds = 1_900_000_000;

export interface FixtureEntry {
  readonly path: string;
  readonly type: "file" | "directory" | "symlink" | "hardlink" | "fifo";
  /** Octal. */
  readonly mode?: string;
  readonly owner?: string;
  readonly mtime?: number | "now";
  readonly target?: string;
  readonly text?: string;
  readonly base64?: string;
}

/** An entry of a layer as the goldens write it. */
export type GoldenEntry = Readonly<Record<string, string | number>>;

export interface FixtureStep {
  readonly workdir?: string;
  readonly user?: string;
  readonly paths: readonly string[];
  readonly destination: string;
  readonly parents: boolean;
  readonly excludes: readonly string[];
  readonly chown: string | null;
  readonly chmod: string | null;
  readonly unpack: "never" | "auto";
  readonly link?: boolean;
  /** Name of the stage it copies from; the context when not given. */
  readonly from?: string;
  readonly inline?: readonly { readonly name: string; readonly content: string }[];
  readonly layer?: Readonly<Record<string, GoldenEntry>>;
  readonly error?: ErrorCode;
}

export interface CopyFixture {
  readonly context: readonly FixtureEntry[];
  readonly ignore?: readonly { readonly pattern: string; readonly line: number }[];
  readonly parent: "scratch" | "base";
  readonly parentEntries?: readonly FixtureEntry[];
  readonly stages?: Readonly<Record<string, readonly FixtureEntry[]>>;
  readonly steps: readonly FixtureStep[];
}

const folder = fileURLToPath(new URL("../../../../fixtures/copy/", import.meta.url));

const readJson = (name: string): unknown => JSON.parse(readFileSync(join(folder, name), "utf8"));

export const baseImage = readJson("base-image.json") as readonly FixtureEntry[];

/** Every case with its name. */
export const copyFixtures: readonly (readonly [string, CopyFixture])[] = readdirSync(folder)
  .filter((name) => name.endsWith(".json") && name !== "base-image.json")
  .sort()
  .map((name) => [basename(name, ".json"), readJson(name) as CopyFixture]);

const contentOf = (entry: FixtureEntry): Buffer =>
  entry.base64 === undefined ? Buffer.from(entry.text ?? "") : Buffer.from(entry.base64, "base64");

const mtimeOf = (entry: FixtureEntry): number =>
  entry.mtime === undefined || entry.mtime === "now" ? freshSeconds : entry.mtime;

/** Makes the entries below `root` on this machine. */
export function writeContext(root: string, entries: readonly FixtureEntry[]): void {
  mkdirSync(root);
  for (const entry of entries) {
    const path = join(root, entry.path);
    if (entry.type === "directory") mkdirSync(path);
    else if (entry.type === "symlink") symlinkSync(entry.target ?? "", path);
    else if (entry.type === "hardlink") linkSync(join(root, entry.target ?? ""), path);
    else if (entry.type === "fifo") execFileSync("mkfifo", [path]);
    else writeFileSync(path, contentOf(entry));
    if (entry.mode !== undefined && entry.type !== "symlink") chmodSync(path, Number.parseInt(entry.mode, 8));
  }
  for (const entry of [...entries].reverse()) {
    if (entry.type !== "hardlink") lutimesSync(join(root, entry.path), mtimeOf(entry), mtimeOf(entry));
  }
  lutimesSync(root, freshSeconds, freshSeconds);
}

/** The entries as a layer has them. */
export function layerItems(entries: readonly FixtureEntry[]): readonly LayerItem[] {
  return entries.map((entry) => {
    const [uid, gid] = (entry.owner ?? "0:0").split(":").map(Number);
    const facts = {
      mode: Number.parseInt(entry.mode ?? "644", 8),
      uid: uid ?? 0,
      gid: gid ?? 0,
      mtimeSeconds: mtimeOf(entry),
    };
    if (entry.type === "directory") return dir(entry.path, facts);
    if (entry.type === "symlink") return symlink(entry.path, entry.target ?? "", facts);
    if (entry.type === "hardlink") return hardlink(entry.path, entry.target ?? "", facts);
    if (entry.type === "fifo") return special(entry.path, "fifo", facts);
    return file(entry.path, contentOf(entry), facts);
  });
}

/** A row as the goldens write it: times of the case's own making are "now", contents the start of their sha256. */
export function goldenEntry(row: LayerRow): GoldenEntry {
  const type = row.type === "directory" ? "dir" : row.type;
  return {
    mode: row.mode.toString(8).padStart(4, "0"),
    owner: `${row.uid}:${row.gid}`,
    mtime: row.mtimeSeconds >= freshSeconds ? "now" : row.mtimeSeconds,
    type,
    ...(row.digest === null ? {} : { size: row.size, sha256: hexOf(row.digest).slice(0, 16) }),
    ...(row.target === null ? {} : { link: row.target }),
    ...(row.device === null ? {} : { dev: `${row.device.major}:${row.device.minor}` }),
  };
}
