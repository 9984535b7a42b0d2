import { BuildError } from "../base/errors.ts";
import type { BuildRequest, SquashChoice, SshSource } from "../engine/build-request.ts";
import { type AnnotationLevel, annotationPlatform, type OutputAnnotation } from "../output/output-annotation.ts";
import type { SecretSource } from "../steps/run/secrets.ts";

const invalid = (flag: string, value: string, problem: string, hint?: string): BuildError =>
  new BuildError("USAGE_INVALID", `--${flag} ${JSON.stringify(value)}: ${problem}`, { hint });

/**
 * `NAME=value` flags as a map; without `=` the value comes from `environment`, and is left out when not set there.
 * SOURCE_DATE_EPOCH of the environment counts without a flag, as docker has it.
 */
export function parseBuildArgs(
  values: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): ReadonlyMap<string, string> {
  const args = new Map<string, string>();
  for (const value of values) {
    const split = value.indexOf("=");
    const name = split === -1 ? value : value.slice(0, split);
    if (name === "") throw invalid("build-arg", value, "no name before =");
    const given =
      split === -1 ? (Object.hasOwn(environment, name) ? environment[name] : undefined) : value.slice(split + 1);
    if (given !== undefined) args.set(name, given);
  }
  const epoch = environment.SOURCE_DATE_EPOCH ?? "";
  if (epoch !== "" && !args.has("SOURCE_DATE_EPOCH")) args.set("SOURCE_DATE_EPOCH", epoch);
  return args;
}

/** `NAME=value` flags as a map; `flag` names them in errors. Without `=` the value is "". */
export function parsePairs(flag: string, values: readonly string[]): ReadonlyMap<string, string> {
  return new Map(
    values.map((value) => {
      const split = value.indexOf("=");
      if (value === "" || split === 0) throw invalid(flag, value, "no name before =");
      return split === -1 ? [value, ""] : [value.slice(0, split), value.slice(split + 1)];
    }),
  );
}

const annotationTarget = /^(manifest|index|manifest-descriptor|index-descriptor)(?:\[([A-Za-z0-9_./*-]*)\])?$/;

/** `[level[platform],…:]key=value`, as docker buildx has it; without a level the manifest is meant. */
export function parseAnnotations(values: readonly string[]): readonly OutputAnnotation[] {
  return values.flatMap((value) => {
    const split = value.indexOf("=");
    const name = split === -1 ? value : value.slice(0, split);
    const colon = name.indexOf(":");
    const key = name.slice(colon + 1);
    if (key === "") throw invalid("annotation", value, "no name before =");
    const targets = colon === -1 ? ["manifest"] : name.slice(0, colon).split(",");
    return targets.map((target) => {
      const [, level, platform = ""] = annotationTarget.exec(target) ?? [];
      if (level === undefined)
        throw invalid(
          "annotation",
          value,
          `${JSON.stringify(target)} is no place for an annotation`,
          "places: manifest, index, manifest-descriptor, index-descriptor, each with [os/arch] if you like",
        );
      if (platform !== "" && level.startsWith("index")) throw invalid("annotation", value, "an index has no platform");
      return {
        level: level as AnnotationLevel,
        platform: annotationPlatform(platform),
        key,
        value: split === -1 ? "" : value.slice(split + 1),
      };
    });
  });
}

/** `--build-context name=source`. */
export function parseNamedContexts(values: readonly string[]): ReadonlyMap<string, string> {
  for (const value of values) {
    if (!/^[^=]+=.+/s.test(value)) throw invalid("build-context", value, "want name=source");
  }
  return parsePairs("build-context", values);
}

/** `name:address`, as docker has it, or `name=address`. */
export function parseExtraHosts(values: readonly string[]): BuildRequest["extraHosts"] {
  return values.map((value) => {
    const match = /^([^=:]+)[=:](.+)$/s.exec(value);
    const name = match?.[1];
    const address = match?.[2]?.replace(/^\[(.*)\]$/, "$1");
    if (name === undefined || address === undefined) throw invalid("add-host", value, "want name:address");
    if (!/^[0-9a-fA-F:.]+$/.test(address))
      throw invalid("add-host", value, `${JSON.stringify(address)} is not an IP address`);
    return { name, address };
  });
}

const sizeUnits: Readonly<Record<string, number>> = { "": 1, b: 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

/** A size as docker takes it: `64m`, `1GB`, `1024`; in bytes. */
export function parseSize(flag: string, value: string): number {
  const match = /^(\d+(?:\.\d+)?) ?([bkmgt]?)(?:i?b)?$/i.exec(value);
  const unit = sizeUnits[(match?.[2] ?? "").toLowerCase()];
  const sizeBytes = Math.floor(Number(match?.[1]) * (unit ?? Number.NaN));
  if (!Number.isSafeInteger(sizeBytes)) throw invalid(flag, value, "not a size", "sizes look like 64m, 1g or 1048576");
  return sizeBytes;
}

const ulimitNames = new Set(
  "core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack".split(" "),
);

/** `name=soft[:hard]`; -1 is unlimited. */
export function parseUlimits(values: readonly string[]): BuildRequest["ulimits"] {
  return values.map((value) => {
    const match = /^([a-z]+)=(-?\d+)(?::(-?\d+))?$/.exec(value);
    const name = match?.[1];
    if (name === undefined) throw invalid("ulimit", value, "want name=soft[:hard]");
    if (!ulimitNames.has(name))
      throw invalid("ulimit", value, `no limit is called ${name}`, `limits: ${[...ulimitNames].join(", ")}`);
    const soft = Number(match?.[2]);
    const hard = Number(match?.[3] ?? match?.[2]);
    if (![soft, hard].every((limit) => Number.isSafeInteger(limit) && limit >= -1))
      throw invalid("ulimit", value, "a limit is a number, or -1 for none");
    if (hard !== -1 && (soft === -1 || soft > hard))
      throw invalid("ulimit", value, "the soft limit is above the hard one");
    return { name, soft, hard };
  });
}

/** `id=…[,src=…|,env=…]`, as docker has it; `type=file|env` may be said. */
export function parseSecrets(
  values: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): readonly SecretSource[] {
  return values.map((value) => {
    const fields = parseFields("secret", value, ["id", "src", "source", "env", "type"]);
    const id = fields.get("id");
    if (id === undefined || id === "")
      throw invalid("secret", value, "no id", "for example --secret id=token,src=token.txt");
    const type = fields.get("type");
    if (type !== undefined && type !== "file" && type !== "env") throw invalid("secret", value, `unknown type ${type}`);
    const path = fields.get("src") ?? fields.get("source");
    const name = fields.get("env") ?? (type === "env" ? (path ?? id) : undefined);
    if (name !== undefined) return { id, kind: "env", name };
    if (path !== undefined) return { id, kind: "file", path };
    // As docker does: the variable of that name if there is one, otherwise the file.
    return Object.hasOwn(environment, id) ? { id, kind: "env", name: id } : { id, kind: "file", path: id };
  });
}

/** `--squash`: `new`, `all` or `from:STAGE`. */
export function parseSquash(value: string): SquashChoice {
  if (value === "new" || value === "all") return { kind: value };
  const [, name] = /^from:(.+)$/s.exec(value) ?? [];
  if (name !== undefined) return { kind: "stage", name };
  throw invalid("squash", value, "want new, all or from:STAGE");
}

/** `default`, `id`, or `id=socket`; without a socket the agent of `SSH_AUTH_SOCK` is meant. */
export function parseSsh(
  values: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): readonly SshSource[] {
  return values.map((value) => {
    const split = value.indexOf("=");
    const id = split === -1 ? value : value.slice(0, split);
    const socket = split === -1 ? environment.SSH_AUTH_SOCK : value.slice(split + 1);
    if (socket === undefined || socket === "")
      throw invalid(
        "ssh",
        value,
        "no agent socket",
        "start ssh-agent so that SSH_AUTH_SOCK is set, or say --ssh id=socket",
      );
    return { id: id === "" ? "default" : id, socket };
  });
}

function parseFields(flag: string, value: string, known: readonly string[]): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  for (const field of value.split(",")) {
    const split = field.indexOf("=");
    const key = split === -1 ? field : field.slice(0, split);
    if (split === -1) throw invalid(flag, value, `want key=value, got ${JSON.stringify(field)}`);
    if (!known.includes(key))
      throw invalid(flag, value, `unknown key ${JSON.stringify(key)}`, `keys: ${known.join(", ")}`);
    fields.set(key, field.slice(split + 1));
  }
  return fields;
}
