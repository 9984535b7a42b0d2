import { createHash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { type ArchivedImage, readTarMembers } from "./oci-archive.ts";

/** What an image is, in the form of the goldens: what comes on top of the base. */
export interface ConformanceResult {
  readonly config: Readonly<Record<string, unknown>>;
  readonly author: string;
  readonly history: readonly HistoryRow[];
  readonly layers: readonly Readonly<Record<string, LayerEntry>>[];
  /** Which layers a second build kept, when there was one. */
  readonly kept?: readonly boolean[];
}

interface HistoryRow {
  readonly created_by: string;
  readonly empty_layer: boolean;
}

type LayerEntry = Readonly<Record<string, string | number | Readonly<Record<string, string>>>>;

const configKeys = [
  "User",
  "ExposedPorts",
  "Env",
  "Entrypoint",
  "Cmd",
  "Volumes",
  "WorkingDir",
  "Labels",
  "StopSignal",
  "Shell",
  "Healthcheck",
  "OnBuild",
] as const;

const types: Readonly<Record<string, string>> = {
  file: "file",
  directory: "dir",
  symlink: "symlink",
  link: "hardlink",
  "character-device": "char",
  "block-device": "block",
  fifo: "fifo",
};

const dayMs = 86_400_000;
const digest = (content: Buffer | string, length: number): string =>
  createHash("sha256").update(content).digest("hex").slice(0, length);
const isEmpty = (value: unknown): boolean =>
  value === null || value === undefined || value === "" || isDeepStrictEqual(value, []) || isDeepStrictEqual(value, {});

/** An image without the layers and history rows of its base. A time since `startedAtMs` counts as "now". */
export async function resultOf(
  image: ArchivedImage,
  baseLayers: number,
  startedAtMs: number,
): Promise<ConformanceResult> {
  const config = image.config.config ?? {};
  const layers: Record<string, LayerEntry>[] = [];
  for (const tar of image.layers.slice(baseLayers)) layers.push(await entriesOf(tar, startedAtMs));
  return {
    config: Object.fromEntries(configKeys.flatMap((key) => (isEmpty(config[key]) ? [] : [[key, config[key]]]))),
    author: image.config.author ?? "",
    history: (image.config.history ?? []).slice(baseLayers).map(({ created_by = "", empty_layer = false }) => ({
      created_by,
      empty_layer,
    })),
    layers,
  };
}

async function entriesOf(tar: Buffer, startedAtMs: number): Promise<Record<string, LayerEntry>> {
  const entries: Record<string, LayerEntry> = {};
  for (const { header, pax, content } of await readTarMembers(tar)) {
    const name = header.name.replace(/^\/+|\/+$/g, "").replace(/^\.\//, "");
    if (name === "" || name === ".") continue;
    const type = types[header.type ?? ""] ?? "?";
    const xattrs = Object.entries(pax).filter(([key]) => key.startsWith("SCHILY.xattr."));
    const mtimeMs = header.mtime?.getTime() ?? Number.NaN;
    entries[name] = {
      type,
      mode: (header.mode ?? 0).toString(8).padStart(4, "0"),
      owner: `${header.uid}:${header.gid}`,
      ...(type === "file" ? { size: content.length, sha256: isRandom(name) ? "random" : digest(content, 16) } : {}),
      ...(type === "symlink" ? { link: header.linkname ?? "" } : {}),
      ...(type === "hardlink" ? { link: (header.linkname ?? "").replace(/^\/+|\/+$/g, "") } : {}),
      ...(type === "char" || type === "block" ? { dev: `${header.devmajor}:${header.devminor}` } : {}),
      ...(xattrs.length === 0
        ? {}
        : { xattrs: Object.fromEntries(xattrs.map(([key, value]) => [key.slice(13), digest(value, 8)])) }),
      mtime: mtimeMs < startedAtMs - dayMs ? Math.floor(mtimeMs / 1000) : "now",
    };
  }
  return entries;
}

/** A file called `id` holds random bytes: it shows whether its step ran again. */
const isRandom = (path: string): boolean => path === "id" || path.endsWith("/id");

/** Where `got` is not what BuildKit makes of the same build; no lines when it is. */
export function differencesOf(want: ConformanceResult, got: ConformanceResult): readonly string[] {
  return [
    ...compareKeys("config", want.config, got.config),
    ...(want.author === got.author ? [] : [`author: want ${want.author}, got ${got.author}`]),
    ...compareHistory(want.history, got.history),
    ...(want.layers.length === got.layers.length ? [] : [`${got.layers.length} layers, want ${want.layers.length}`]),
    ...want.layers.flatMap((layer, at) => compareKeys(`layer ${at}`, layer, got.layers[at] ?? {})),
    ...compareKept(want, got.kept ?? []),
  ];
}

function compareKeys(
  what: string,
  want: Readonly<Record<string, unknown>>,
  got: Readonly<Record<string, unknown>>,
): readonly string[] {
  return [...new Set([...Object.keys(want), ...Object.keys(got)])]
    .sort()
    .filter((key) => !isDeepStrictEqual(want[key], got[key]))
    .map((key) => `${what}: ${key}: want ${JSON.stringify(want[key])}, got ${JSON.stringify(got[key])}`);
}

function compareHistory(want: readonly HistoryRow[], got: readonly HistoryRow[]): readonly string[] {
  if (want.length !== got.length) return [`${got.length} history rows, want ${want.length}`];
  return want.flatMap((row, at) => {
    const other = got[at];
    if (isDeepStrictEqual(row, other)) return [];
    // BuildKit prints a Go struct there, with pointers in it.
    const isHealthcheck = [row, other].every((side) => side?.created_by.startsWith("HEALTHCHECK "));
    if (isHealthcheck && row.empty_layer === other?.empty_layer) return [];
    return [`history row ${at}: want ${JSON.stringify(row)}, got ${JSON.stringify(other)}`];
  });
}

/** A layer may be kept though BuildKit makes it anew (its bytes are equal), but not one with random bytes in it. */
function compareKept(want: ConformanceResult, got: readonly boolean[]): readonly string[] {
  return (want.kept ?? []).flatMap((isKept, at) => {
    if (isKept && got[at] !== true) return [`layer ${at}: the second build made it anew, it was to be kept`];
    const hasRandom = Object.keys(want.layers[at] ?? {}).some(isRandom);
    if (!isKept && got[at] === true && hasRandom)
      return [`layer ${at}: the second build kept it, it was to be made anew`];
    return [];
  });
}
