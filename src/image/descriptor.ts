import { type Digest, parseDigest } from "../base/digest.ts";
import { type GoJson, goMap, goStruct } from "./go-json.ts";
import type { JsonReader } from "./json-reader.ts";
import { normalizePlatform, type Platform } from "./platform.ts";

/** OCI image-spec descriptor.md. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  /** Has no prototype when it was parsed, so that a key is never an inherited one. */
  readonly annotations?: Readonly<Record<string, string>>;
  readonly platform?: Platform;
}

/** Reads a descriptor; `urls` and `data` are ignored: content only comes from where the image came from. */
export function readDescriptor(reader: JsonReader): Descriptor {
  const annotations = reader.optionalStringMap("annotations");
  const platform = reader.optionalObject("platform");
  return {
    mediaType: reader.string("mediaType"),
    digest: reader.parsed("digest", parseDigest),
    size: reader.count("size"),
    ...(annotations === undefined ? {} : { annotations: recordOf(annotations) }),
    ...(platform === undefined ? {} : { platform: readPlatform(platform) }),
  };
}

function recordOf(entries: ReadonlyMap<string, string>): Readonly<Record<string, string>> {
  const record: Record<string, string> = Object.create(null);
  for (const [key, value] of entries) record[key] = value;
  return record;
}

function readPlatform(reader: JsonReader): Platform {
  return normalizePlatform({
    os: reader.string("os"),
    architecture: reader.string("architecture"),
    variant: reader.optionalString("variant") ?? "",
    osVersion: reader.optionalString("os.version") ?? "",
  });
}

/** The members in the order of Go's `ocispec.Descriptor`; empty ones are left out. */
export function descriptorToJson(descriptor: Descriptor): GoJson {
  const annotations = Object.entries(descriptor.annotations ?? {});
  return goStruct([
    ["mediaType", descriptor.mediaType],
    ["digest", descriptor.digest],
    ["size", descriptor.size],
    ["annotations", annotations.length === 0 ? undefined : goMap(annotations)],
    ["platform", descriptor.platform === undefined ? undefined : platformToJson(descriptor.platform)],
  ]);
}

function platformToJson({ architecture, os, osVersion, variant }: Platform): GoJson {
  return goStruct([
    ["architecture", architecture],
    ["os", os],
    ["os.version", osVersion === "" ? undefined : osVersion],
    ["variant", variant === "" ? undefined : variant],
  ]);
}
