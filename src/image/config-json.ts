import { parseDiffId } from "../base/digest.ts";
import { compareNames } from "../base/file-name.ts";
import { formatGoJson, type GoJson, goMap, goStruct } from "./go-json.ts";
import type { ContainerConfig, Healthcheck, HistoryRow, ImageConfig } from "./image-config.ts";
import { largestConfigBytes, readImageDocument } from "./image-document.ts";
import type { JsonReader } from "./json-reader.ts";
import { isPlatformWord, normalizePlatform, type Platform } from "./platform.ts";
import { normalizeTimestamp } from "./timestamp.ts";

/**
 * Parses an image config (OCI image-spec config.md, docker image spec). Members it does not know are dropped, the
 * platform is normalised. `subject` names it in errors. Throws IMAGE_INVALID.
 */
export function parseImageConfig(bytes: Uint8Array, subject = "image config"): ImageConfig {
  const document = readImageDocument(bytes, largestConfigBytes, subject);
  const rootfs = document.object("rootfs");
  const kind = rootfs.string("type");
  if (kind !== "layers") throw rootfs.failure("type", `got ${JSON.stringify(kind.slice(0, 100))}, want "layers"`);
  const container = document.optionalObject("config");
  return {
    platform: readPlatform(document),
    author: document.optionalString("author") ?? "",
    created: readTimestamp(document, "created"),
    config: container === undefined ? {} : readContainerConfig(container),
    history: (document.optionalObjects("history") ?? []).map(readHistoryRow),
    diffIds: (rootfs.optionalStrings("diff_ids") ?? []).map((text, at) => {
      try {
        return parseDiffId(text);
      } catch {
        throw rootfs.failure(`diff_ids[${at}]`, `${JSON.stringify(text.slice(0, 100))} is not a sha256 digest`);
      }
    }),
  };
}

function readPlatform(document: JsonReader): Platform {
  const word = (key: string, text: string): string => {
    if (isPlatformWord(text)) return text;
    throw document.failure(key, `${JSON.stringify(text.slice(0, 100))} is no part of a platform`);
  };
  const [os, architecture] = [document.string("os"), document.string("architecture")];
  if (os === "" || architecture === "") throw document.failure("os", "os and architecture must not be empty");
  return normalizePlatform({
    os: word("os", os),
    architecture: word("architecture", architecture),
    variant: word("variant", document.optionalString("variant") ?? ""),
    osVersion: word("os.version", document.optionalString("os.version") ?? ""),
  });
}

function readTimestamp(reader: JsonReader, key: string): string | null {
  const text = reader.optionalString(key);
  if (text === undefined) return null;
  const normalized = normalizeTimestamp(text);
  if (normalized === null) throw reader.failure(key, `${JSON.stringify(text.slice(0, 100))} is not an RFC 3339 time`);
  return normalized;
}

function readHistoryRow(reader: JsonReader): HistoryRow {
  return {
    created: readTimestamp(reader, "created"),
    createdBy: reader.optionalString("created_by") ?? "",
    author: reader.optionalString("author") ?? "",
    comment: reader.optionalString("comment") ?? "",
    emptyLayer: reader.optionalBoolean("empty_layer") ?? false,
  };
}

function readContainerConfig(reader: JsonReader): ContainerConfig {
  const text = (key: string): string | undefined => noNul(reader, key, reader.optionalString(key)) || undefined;
  const texts = (key: string): readonly string[] | undefined => {
    const values = reader.optionalStrings(key);
    for (const [at, value] of (values ?? []).entries()) noNul(reader, `${key}[${at}]`, value);
    return values === undefined || values.length === 0 ? undefined : values;
  };
  const keysOf = (key: string): readonly string[] | undefined => {
    const keys = reader.optionalObject(key)?.keys() ?? [];
    for (const name of keys) noNul(reader, key, name);
    return keys.length === 0 ? undefined : keys.toSorted(compareNames);
  };
  const labels = reader.optionalStringMap("Labels");
  const healthcheck = reader.optionalObject("Healthcheck");
  return withoutUndefined({
    User: text("User"),
    ExposedPorts: keysOf("ExposedPorts"),
    Env: texts("Env"),
    Entrypoint: texts("Entrypoint"),
    Cmd: texts("Cmd"),
    Volumes: keysOf("Volumes"),
    WorkingDir: text("WorkingDir"),
    Labels: labels === undefined || labels.size === 0 ? undefined : labels,
    StopSignal: text("StopSignal"),
    ArgsEscaped: reader.optionalBoolean("ArgsEscaped") || undefined,
    Healthcheck: healthcheck === undefined ? undefined : readHealthcheck(healthcheck),
    OnBuild: texts("OnBuild"),
    Shell: texts("Shell"),
  });
}

/** A string with a NUL would be cut where the kernel takes it: what runs would not be what the config shows. */
function noNul(reader: JsonReader, key: string, value: string | undefined): string | undefined {
  if (value?.includes("\0")) throw reader.failure(key, "holds a NUL byte");
  return value;
}

function readHealthcheck(reader: JsonReader): Healthcheck {
  const Test = reader.optionalStrings("Test") ?? [];
  for (const [at, word] of Test.entries()) noNul(reader, `Test[${at}]`, word);
  return {
    Test,
    ...withoutUndefined({
      Interval: reader.optionalCount("Interval") || undefined,
      Timeout: reader.optionalCount("Timeout") || undefined,
      StartPeriod: reader.optionalCount("StartPeriod") || undefined,
      StartInterval: reader.optionalCount("StartInterval") || undefined,
      Retries: reader.optionalCount("Retries") || undefined,
    }),
  };
}

type Defined<T> = { [Key in keyof T]?: Exclude<T[Key], undefined> };

function withoutUndefined<T extends object>(members: T): Defined<T> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as Defined<T>;
}

/**
 * The bytes BuildKit writes for an image config: top-level members sorted by name, those of `config` in the order of
 * the docker image spec, empty ones left out, maps sorted by key, Go's escaping, no white space.
 */
export function serializeImageConfig(image: ImageConfig): Uint8Array {
  const { architecture, os, osVersion, variant } = image.platform;
  const json = goStruct([
    ["architecture", architecture],
    ["author", image.author || undefined],
    ["config", containerConfigToJson(image.config)],
    ["created", image.created],
    ["history", image.history.length === 0 ? null : image.history.map(historyRowToJson)],
    ["os", os],
    ["os.version", osVersion || undefined],
    [
      "rootfs",
      goStruct([
        ["type", "layers"],
        ["diff_ids", image.diffIds.length === 0 ? null : image.diffIds],
      ]),
    ],
    ["variant", variant || undefined],
  ]);
  return Buffer.from(formatGoJson(json));
}

function historyRowToJson(row: HistoryRow): GoJson {
  return goStruct([
    ["created", row.created ?? undefined],
    ["created_by", row.createdBy || undefined],
    ["author", row.author || undefined],
    ["comment", row.comment || undefined],
    ["empty_layer", row.emptyLayer || undefined],
  ]);
}

function containerConfigToJson(config: ContainerConfig): GoJson {
  const { Healthcheck: healthcheck, Labels: labels } = config;
  return goStruct([
    ["User", config.User || undefined],
    ["ExposedPorts", setToJson(config.ExposedPorts)],
    ["Env", listToJson(config.Env)],
    ["Entrypoint", listToJson(config.Entrypoint)],
    ["Cmd", listToJson(config.Cmd)],
    ["Volumes", setToJson(config.Volumes)],
    ["WorkingDir", config.WorkingDir || undefined],
    ["Labels", labels === undefined || labels.size === 0 ? undefined : goMap(labels)],
    ["StopSignal", config.StopSignal || undefined],
    ["ArgsEscaped", config.ArgsEscaped || undefined],
    ["Healthcheck", healthcheck === undefined ? undefined : healthcheckToJson(healthcheck)],
    ["OnBuild", listToJson(config.OnBuild)],
    ["Shell", listToJson(config.Shell)],
  ]);
}

const listToJson = (items: readonly string[] | undefined): GoJson | undefined =>
  items === undefined || items.length === 0 ? undefined : items;

const setToJson = (keys: readonly string[] | undefined): GoJson | undefined =>
  keys === undefined || keys.length === 0 ? undefined : goMap(keys.map((key) => [key, new Map()] as const));

function healthcheckToJson(healthcheck: Healthcheck): GoJson {
  return goStruct([
    ["Test", listToJson(healthcheck.Test)],
    ["Interval", healthcheck.Interval || undefined],
    ["Timeout", healthcheck.Timeout || undefined],
    ["StartPeriod", healthcheck.StartPeriod || undefined],
    ["StartInterval", healthcheck.StartInterval || undefined],
    ["Retries", healthcheck.Retries || undefined],
  ]);
}
