import { readFileSync } from "node:fs";
import { BuildError } from "../base/errors.ts";
import type { RunRequest } from "../engine/containers/run-request.ts";
import { parseSize } from "./build-flags.ts";

const invalid = (flag: string, value: string, problem: string, hint?: string): BuildError =>
  new BuildError("USAGE_INVALID", `--${flag} ${JSON.stringify(value)}: ${problem}`, { hint });

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * `NAME=value` flags; a name alone means the variable of `caller`, and where that has none, that the container shall have
 * none either.
 */
export function parseEnvironment(values: readonly string[], caller: Environment): readonly string[] {
  return values.map((value) => {
    if (value === "" || value.startsWith("=")) throw invalid("env", value, "no name before =");
    const given = value.includes("=") || !Object.hasOwn(caller, value) ? undefined : caller[value];
    return given === undefined ? value : `${value}=${given}`;
  });
}

/** The variables of files, one a line: `NAME=value`, or `NAME` for that of `caller`; # begins a comment. Values are taken as they are. */
export function readEnvironmentFiles(paths: readonly string[], caller: Environment): readonly string[] {
  return paths.flatMap((path) => {
    const lines = readText(path)
      .replace(/^\ufeff/, "")
      .split(/\r?\n/);
    return lines.flatMap((line, at) => {
      const row = line.trimStart();
      if (row === "" || row.startsWith("#")) return [];
      const [name = ""] = row.split("=", 1);
      if (name === "" || /\s/.test(name))
        throw invalid("env-file", path, `line ${at + 1}: ${JSON.stringify(name)} is no name of a variable`);
      if (row.includes("=")) return [row];
      const given = Object.hasOwn(caller, name) ? caller[name] : undefined;
      return given === undefined ? [] : [`${name}=${given}`];
    });
  });
}

function readText(path: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(readFileSync(path));
  } catch (error) {
    const problem = error instanceof TypeError ? "not UTF-8" : (error as Error).message;
    throw new BuildError("USAGE_INVALID", `--env-file ${JSON.stringify(path)}: ${problem}`, { cause: error });
  }
}

/**
 * `-v` flags: `HOST:CONTAINER[:ro|rw]` is a directory or file of the host, `CONTAINER` alone a directory of the
 * container's own.
 */
export function parseVolumes(values: readonly string[]): Pick<RunRequest, "mounts" | "volumes"> {
  const parsed = values.map((value) => {
    const [first = "", target, options, ...rest] = value.split(":");
    if (rest.length > 0) throw invalid("volume", value, "want HOST:CONTAINER or HOST:CONTAINER:ro");
    if (target === undefined) return requireAbsolute("volume", value, first);
    requireAbsolute("volume", value, target);
    return {
      kind: "bind",
      source: hostPath(value, first),
      subPath: "",
      target,
      readOnly: isReadOnly(value, options),
    } as const;
  });
  return {
    mounts: parsed.filter((volume) => typeof volume !== "string"),
    volumes: parsed.filter((volume) => typeof volume === "string"),
  };
}

function requireAbsolute(flag: string, value: string, path: string): string {
  if (path.startsWith("/")) return path;
  throw invalid(flag, value, `${JSON.stringify(path)} is no absolute path`);
}

function hostPath(value: string, path: string): string {
  if (path.startsWith("/")) return path;
  if (path.startsWith(".") || path.includes("/"))
    throw invalid("volume", value, `${JSON.stringify(path)} is no absolute path`, `write it as "$PWD"/${path}`);
  throw invalid("volume", value, "there are no volumes with names", "name a directory of this machine: -v /DIR:/PLACE");
}

function isReadOnly(value: string, options: string | undefined): boolean {
  if (options === undefined || options === "rw") return false;
  if (options === "ro") return true;
  throw invalid("volume", value, `unknown option ${JSON.stringify(options)}`, "options: ro, rw");
}

/** `--tmpfs PATH[:size=…]`. */
export function parseTmpfs(values: readonly string[]): RunRequest["mounts"] {
  return values.map((value) => {
    const split = value.indexOf(":");
    const target = requireAbsolute("tmpfs", value, split === -1 ? value : value.slice(0, split));
    const options = split === -1 ? [] : value.slice(split + 1).split(",");
    let sizeBytes: number | null = null;
    for (const option of options) {
      if (option.startsWith("size=")) sizeBytes = parseSize("tmpfs", option.slice("size=".length));
      // what every tmpfs of a container is
      else if (!["rw", "nosuid", "nodev", "exec"].includes(option))
        throw invalid(
          "tmpfs",
          value,
          `unknown option ${JSON.stringify(option)}`,
          "options: size=, rw, exec, nosuid, nodev",
        );
    }
    return { kind: "tmpfs", target, sizeBytes };
  });
}
