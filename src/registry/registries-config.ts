import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { BuildError } from "../base/errors.ts";
import { JsonReader } from "../image/json-reader.ts";
import { parseReference } from "../image/reference.ts";
import { parseJsonObject } from "../image/strict-json.ts";

/** A host that holds copies of another registry's repositories, below `prefix`. */
export interface Mirror {
  readonly registry: string;
  /** Put before the repository: "" or `hub`. */
  readonly prefix: string;
}

export interface RegistrySettings {
  /** Asked first, in this order. */
  readonly mirrors: readonly Mirror[];
  /** Speaks HTTP without TLS; null for what is usual: this machine's own registries do, others do not. */
  readonly plainHttp: boolean | null;
}

/** Settings by registry, as the config file gives them (docs/registries.md). */
export type RegistriesConfig = ReadonlyMap<string, RegistrySettings>;

const largestConfigFile = 1024 * 1024;

/** Parses a config file. `file` names it in errors. Throws CONFIG_INVALID. */
export function parseRegistriesConfig(bytes: Uint8Array, file: string): RegistriesConfig {
  const failure = (problem: string): BuildError =>
    new BuildError("CONFIG_INVALID", `config ${file}: ${problem}`, { hint: "docs/registries.md describes the file" });
  const document = new JsonReader(parseJsonObject(bytes, largestConfigFile, failure), "", failure);
  refuseUnknown(document, ["registries"]);
  const registries = document.optionalObject("registries");
  return new Map(
    (registries?.keys() ?? []).map((name) => {
      const settings = registries?.object(name) ?? document;
      const registry = parseRegistryPath(name);
      if (registry === null || registry.prefix !== "")
        throw document.failure(name, "not a registry, want host or host:port");
      refuseUnknown(settings, ["mirrors", "plainHttp"]);
      return [registry.registry, readSettings(settings)];
    }),
  );
}

function refuseUnknown(reader: JsonReader, known: readonly string[]): void {
  for (const key of reader.keys()) {
    if (!known.includes(key)) throw reader.failure(key, `unknown, want ${known.join(" or ")}`);
  }
}

function readSettings(reader: JsonReader): RegistrySettings {
  const mirrors = (reader.optionalStrings("mirrors") ?? []).map((text, at) => {
    const mirror = parseRegistryPath(text);
    if (mirror === null) {
      throw reader.failure(
        `mirrors[${at}]`,
        `${JSON.stringify(text)} is not a mirror, want host[:port][/path] without http://`,
      );
    }
    return mirror;
  });
  return { mirrors, plainHttp: reader.optionalBoolean("plainHttp") ?? null };
}

/** `host[:port][/path]`; null when it is something else. The host has to look like one: `hub` is none, `hub:5000` is. */
function parseRegistryPath(text: string): Mirror | null {
  const slash = text.indexOf("/");
  const host = slash < 0 ? text : text.slice(0, slash);
  const prefix = slash < 0 ? "" : text.slice(slash + 1).replace(/\/$/, "");
  if (!/[.:]/.test(host) && host !== "localhost") return null;
  try {
    const { registry, tag } = parseReference(`${host}/${prefix === "" ? "x" : prefix}/x`);
    return tag === "latest" ? { registry, prefix } : null;
  } catch {
    return null;
  }
}

/**
 * Loads the settings: the file $TSBUILD_CONFIG names, else /etc/tsbuild/config.json and, winning over it,
 * ~/.config/tsbuild/config.json (or below $XDG_CONFIG_HOME). Throws CONFIG_INVALID for a file that is wrong or cannot
 * be read; without any file there are no settings.
 */
export async function loadRegistriesConfig(environment: NodeJS.ProcessEnv): Promise<RegistriesConfig> {
  const named = environment.TSBUILD_CONFIG;
  if (named) return (await readConfig(named, true)) ?? new Map();
  const user = join(
    environment.XDG_CONFIG_HOME || join(environment.HOME || homedir(), ".config"),
    "tsbuild",
    "config.json",
  );
  const configs = [await readConfig("/etc/tsbuild/config.json", false), await readConfig(user, false)];
  return new Map(configs.flatMap((config) => [...(config ?? [])]));
}

async function readConfig(file: string, mustExist: boolean): Promise<RegistriesConfig | null> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(file);
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
    if (!mustExist && (code === "ENOENT" || code === "ENOTDIR" || code === "EACCES")) return null;
    throw new BuildError("CONFIG_INVALID", `config ${file}: cannot be read (${code})`, { cause });
  }
  return parseRegistriesConfig(bytes, file);
}
