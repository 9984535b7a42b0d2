import { BuildError } from "../../base/errors.ts";
import type { ContainerConfig } from "../../image/image-config.ts";
import type { RunRequest } from "./run-request.ts";

const nameOf = (row: string): string => row.split("=", 1)[0] ?? "";

/** Rows of which the last one of each name counts, in the place of the first. */
function lastOfEach(rows: readonly string[]): readonly string[] {
  return [...new Map(rows.map((row) => [nameOf(row), row])).values()];
}

/**
 * The config of a container: the image's, with what the request says instead. It is what an image made of the container
 * begins with, as docker has it. The image's arguments go with its entrypoint.
 */
export function containerConfig(
  image: ContainerConfig,
  { args, entrypoint, env, cwd, user, volumes }: RunRequest,
): ContainerConfig {
  const own = lastOfEach(env);
  const named = new Set(own.map(nameOf));
  const inherited = (image.Env ?? []).filter((row) => !named.has(nameOf(row)));
  const keepsCmd = args.length === 0 && entrypoint === null;
  const allVolumes = [...new Set([...(image.Volumes ?? []), ...volumes])];
  return {
    ...image,
    ...(user === null ? {} : { User: user }),
    ...(cwd === null ? {} : { WorkingDir: cwd }),
    ...(allVolumes.length === 0 ? {} : { Volumes: allVolumes }),
    Env: [...own.filter((row) => row.includes("=")), ...inherited],
    Entrypoint: entrypoint === null ? (image.Entrypoint ?? []) : entrypoint === "" ? [] : [entrypoint],
    Cmd: keepsCmd ? (image.Cmd ?? []) : args,
    ArgsEscaped: false,
  };
}

/** What a container runs. Throws USAGE_INVALID when nobody says what. */
export function programOf({ Entrypoint = [], Cmd = [] }: ContainerConfig, image: string): readonly string[] {
  const args = [...Entrypoint, ...Cmd];
  if (args.length > 0 && args[0] !== "") return args;
  throw new BuildError("USAGE_INVALID", `image ${JSON.stringify(image)}: no command specified`, {
    hint: "the image names no program: say which one after the image",
  });
}

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** The environment of a container's process: what its config says, and before that what it may have changed. */
export function containerEnvironment(
  { Env = [] }: ContainerConfig,
  hostname: string,
  hasTerminal: boolean,
): readonly string[] {
  const defaults = [`PATH=${defaultPath}`, `HOSTNAME=${hostname}`, ...(hasTerminal ? ["TERM=xterm"] : [])];
  return lastOfEach([...defaults, ...Env]);
}
