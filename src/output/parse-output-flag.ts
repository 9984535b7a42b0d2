import { BuildError } from "../base/errors.ts";
import { didYouMean } from "../dockerfile/suggest-name.ts";
import type { Compression } from "../image/media-types.ts";
import { formatReference, parseReference } from "../image/reference.ts";
import type { BlobFormat } from "../store/layer-store.ts";
import { parseCsvLine } from "./csv-line.ts";
import { type AnnotationLevel, annotationPlatform, type OutputAnnotation } from "./output-annotation.ts";

/** How layers are to be compressed. */
export interface LayerCompression {
  readonly format: BlobFormat;
  /** Also layers that come with a blob in another format. */
  readonly force: boolean;
}

/** What an output says about SOURCE_DATE_EPOCH: seconds, null for none, or nothing: what the build says counts. */
export type OutputEpoch = number | null | "of the build";

interface ImageOptions {
  /** Full references; empty when the flag names none. */
  readonly names: readonly string[];
  readonly compression: LayerCompression;
  readonly annotations: readonly OutputAnnotation[];
  /** False for the media types of docker. */
  readonly ociMediaTypes: boolean;
  readonly epoch: OutputEpoch;
  /** No file in the layers of the build is younger than the epoch. */
  readonly rewriteTimestamps: boolean;
}

interface RootfsOptions {
  readonly destination: string;
  /** A folder for each platform; null: if there are several. */
  readonly splitPlatforms: boolean | null;
  /** The time of all files. */
  readonly epoch: OutputEpoch;
}

/** What `--output` asks for. `destination` is a path, or `-` for standard output. */
export type OutputSpec =
  | ({ readonly kind: "oci"; readonly destination: string; readonly isArchive: boolean } & ImageOptions)
  | ({ readonly kind: "docker"; readonly destination: string } & ImageOptions)
  | ({ readonly kind: "image"; readonly push: boolean; readonly store: boolean } & ImageOptions)
  | ({ readonly kind: "tar" } & RootfsOptions)
  | ({ readonly kind: "local" } & RootfsOptions)
  | { readonly kind: "cacheonly" };

type OutputKind = "oci" | "docker" | "image" | "registry" | "tar" | "local" | "cacheonly";

const imageKeys = [
  "name",
  "compression",
  "compression-level",
  "force-compression",
  "oci-mediatypes",
  "rewrite-timestamp",
  "source-date-epoch",
];
const keysOf: Readonly<Record<OutputKind, readonly string[]>> = {
  oci: ["dest", "tar", ...imageKeys],
  docker: ["dest", ...imageKeys],
  image: ["push", "store", ...imageKeys],
  registry: ["store", ...imageKeys],
  tar: ["dest", "platform-split", "source-date-epoch"],
  local: ["dest", "platform-split", "source-date-epoch"],
  cacheonly: [],
};
/** Options BuildKit has for images and this program does not. */
const unsupportedKeys = new Set([
  "unpack",
  "push-by-digest",
  "registry.insecure",
  "dangling-name-prefix",
  "name-canonical",
  "nameonly",
  "prefer-nondist-layers",
  "inline-only",
  "attestation-prefix",
  "context",
  "buildinfo",
]);

const isKind = (text: string): text is OutputKind => Object.hasOwn(keysOf, text);

/**
 * Reads an `--output` value: `type=oci,dest=x.tar,…` as one line of CSV, a directory, or `-`. Throws USAGE_INVALID, or
 * EXPORT_UNSUPPORTED for options of BuildKit that are not there.
 */
export function parseOutputFlag(text: string): OutputSpec {
  const fields = parseCsvLine(text);
  if (fields === null || text === "")
    throw invalid(text, "quotes do not match", 'write it like type=oci,dest=image.tar, or "name=a,b" in quotes');
  if (fields.length === 1 && fields[0] === text && !text.startsWith("type=")) {
    return {
      kind: text === "-" ? "tar" : "local",
      destination: text,
      splitPlatforms: null,
      epoch: "of the build",
    };
  }
  const options = new Options(text, fields);
  const kind = options.text("type");
  if (kind === null) throw invalid(text, "type is missing", "add type=oci, docker, image, registry, tar or local");
  if (!isKind(kind)) {
    const hint = didYouMean(kind, Object.keys(keysOf)) ?? `there are ${Object.keys(keysOf).join(", ")}`;
    throw invalid(text, `type ${JSON.stringify(kind)} is not known`, hint);
  }
  options.checkKeys(kind);
  switch (kind) {
    case "oci":
      return parseOci(text, options);
    case "docker":
      return { kind, destination: options.text("dest") ?? "-", ...parseImageOptions(options, "none") };
    case "image":
      return {
        kind,
        push: options.flag("push") ?? false,
        store: options.flag("store") ?? true,
        ...parseImageOptions(options, "gzip"),
      };
    case "registry":
      return { kind: "image", push: true, store: options.flag("store") ?? true, ...parseImageOptions(options, "gzip") };
    case "tar":
      return { kind, ...parseRootfsOptions(options.text("dest") ?? "-", options) };
    case "local": {
      const destination = options.text("dest");
      if (destination === null || destination === "-")
        throw invalid(text, "dest is missing", "type=local needs a directory: add dest=DIR");
      return { kind, ...parseRootfsOptions(destination, options) };
    }
    case "cacheonly":
      return { kind };
  }
}

function parseOci(text: string, options: Options): OutputSpec {
  const destination = options.text("dest") ?? "-";
  const isArchive = options.flag("tar") ?? true;
  if (!isArchive && destination === "-")
    throw invalid(text, "dest is missing", "tar=false writes a directory: add dest=DIR");
  return { kind: "oci", destination, isArchive, ...parseImageOptions(options, "gzip") };
}

function parseImageOptions(options: Options, defaultCompression: Compression): ImageOptions {
  return {
    names: (options.text("name") ?? "")
      .split(",")
      .filter((name) => name !== "")
      .map(normalizeName),
    compression: { format: options.blobFormat(defaultCompression), force: options.flag("force-compression") ?? false },
    annotations: options.annotations(),
    ociMediaTypes: options.flag("oci-mediatypes") ?? true,
    epoch: options.epoch(),
    rewriteTimestamps: options.flag("rewrite-timestamp") ?? false,
  };
}

const parseRootfsOptions = (destination: string, options: Options): RootfsOptions => ({
  destination,
  splitPlatforms: options.flag("platform-split"),
  epoch: options.epoch(),
});

const normalizeName = (name: string): string => formatReference(parseReference(name.trim()));

const annotationKey = /^annotation(?:-(manifest|index|manifest-descriptor|index-descriptor))?(?:\[([^\]]*)\])?\.(.+)$/s;

/** The `key=value` fields of one flag. */
class Options {
  readonly #flag: string;
  readonly #values = new Map<string, string>();

  constructor(flag: string, fields: readonly string[]) {
    this.#flag = flag;
    for (const field of fields) {
      const equals = field.indexOf("=");
      if (equals < 0) throw invalid(flag, `${JSON.stringify(field)} is not key=value`);
      const name = field.slice(0, equals).trim();
      const key = annotationKey.test(name) ? name : name.toLowerCase();
      this.#values.set(key, field.slice(equals + 1));
    }
  }

  checkKeys(kind: OutputKind): void {
    const known = ["type", ...keysOf[kind]];
    const takesAnnotations = keysOf[kind].includes("name");
    for (const key of this.#values.keys()) {
      if (known.includes(key) || (takesAnnotations && annotationKey.test(key))) continue;
      if (unsupportedKeys.has(key))
        throw new BuildError("EXPORT_UNSUPPORTED", `output ${JSON.stringify(this.#flag)}: ${key} is not supported`);
      throw invalid(this.#flag, `${JSON.stringify(key)} is not an option of type=${kind}`, didYouMean(key, known));
    }
  }

  text(key: string): string | null {
    const value = this.#values.get(key);
    return value === undefined || value === "" ? null : value;
  }

  /** As Go's strconv.ParseBool reads it. */
  flag(key: string): boolean | null {
    const value = this.#values.get(key);
    if (value === undefined) return null;
    if (["1", "t", "T", "true", "TRUE", "True"].includes(value)) return true;
    if (["0", "f", "F", "false", "FALSE", "False"].includes(value)) return false;
    throw invalid(this.#flag, `${key}: got ${JSON.stringify(value)}, want true or false`);
  }

  /** `source-date-epoch`; empty switches it off. */
  epoch(): OutputEpoch {
    const value = this.#values.get("source-date-epoch");
    if (value === undefined) return "of the build";
    if (value === "") return null;
    if (/^[+-]?\d{1,15}$/.test(value)) return Number(value);
    throw invalid(this.#flag, `source-date-epoch: got ${JSON.stringify(value)}, want seconds since 1970`);
  }

  blobFormat(defaultCompression: Compression): BlobFormat {
    const refuse = (problem: string, hint?: string): BuildError => invalid(this.#flag, problem, hint);
    return parseBlobFormat(this.text("compression"), this.text("compression-level"), defaultCompression, refuse);
  }

  annotations(): readonly OutputAnnotation[] {
    return [...this.#values].flatMap(([name, value]) => {
      const [, level, platform, key] = annotationKey.exec(name) ?? [];
      if (key === undefined) return [];
      return [
        {
          level: (level ?? "manifest") as AnnotationLevel,
          platform: annotationPlatform(platform ?? ""),
          key,
          value,
        },
      ];
    });
  }
}

/**
 * `compression` (gzip, zstd, uncompressed) and `compression-level` as texts, null where they were not given. Throws what
 * `refuse` makes, and EXPORT_UNSUPPORTED for estargz.
 */
export function parseBlobFormat(
  given: string | null,
  level: string | null,
  defaultCompression: Compression,
  refuse: (problem: string, hint?: string) => BuildError,
): BlobFormat {
  const compression = given === null ? defaultCompression : compressions.get(given);
  if (compression === undefined) {
    if (given === "estargz") throw new BuildError("EXPORT_UNSUPPORTED", "compression: estargz is not supported");
    const problem = `compression: got ${JSON.stringify(given)}, want gzip, zstd or uncompressed`;
    throw refuse(problem, didYouMean(given ?? "", compressions.keys()));
  }
  if (level === null) return { compression, level: null };
  const highest = compression === "zstd" ? 22 : 9;
  if (!/^\d{1,2}$/.test(level) || Number(level) > highest)
    throw refuse(`compression-level: got ${JSON.stringify(level)}, want 0 to ${highest}`);
  return { compression, level: compression === "none" ? null : Number(level) };
}

const compressions: ReadonlyMap<string, Compression> = new Map<string, Compression>([
  ["uncompressed", "none"],
  ["gzip", "gzip"],
  ["zstd", "zstd"],
]);

function invalid(flag: string, problem: string, hint?: string): BuildError {
  return new BuildError("USAGE_INVALID", `output ${JSON.stringify(flag.slice(0, 200))}: ${problem}`, { hint });
}
