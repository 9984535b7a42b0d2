import { BuildError } from "../../base/errors.ts";
import type { OpSpec, RunMount } from "../../plan/build-graph.ts";
import type { SandboxMount } from "../../sandbox/sandbox-spec.ts";
import { forwardAgent } from "./agent-socket.ts";
import type { CacheMounts, CacheRequest } from "./cache-mounts.ts";
import { readSecret, type SecretSource } from "./secrets.ts";

export type RunSpec = Extract<OpSpec, { readonly kind: "run" }>;

/** A tree a step mounts, as it lies on this machine. */
export interface RunSource {
  /** Overlay directories, topmost first; none for an empty tree. */
  readonly lowers: readonly string[];
  /** What of it is mounted. */
  readonly path: string;
}

/** What a new cache begins with. */
export interface CacheSeed {
  /** Names the content: another seed makes another cache. */
  readonly identity: string;
  /** Writes the content into an empty directory, and gives that its mode and owner. */
  fill(directory: string): Promise<void>;
}

/** What the mounts of a RUN are made of. */
export interface MountInputs {
  /** The trees of bind mounts, one for each, in the order of the mounts. */
  readonly binds: readonly RunSource[];
  /** What fills cache mounts that have a seed, one for each, in the order of the mounts. */
  readonly seeds: readonly CacheSeed[];
  /** A directory of the store that nobody else uses. */
  readonly temporary: string;
}

/** Where the mounts of all RUNs of a build get their content from. */
export interface MountServices {
  readonly cacheMounts: CacheMounts;
  readonly secrets: readonly SecretSource[];
  /** Sockets of ssh agents by id. */
  readonly ssh: readonly { readonly id: string; readonly socket: string }[];
  /** Where secrets of kind `env` are looked up; no step sees it. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** The mounts of a sandbox, and secrets as `NAME=value`; to be closed after the step. */
export interface ResolvedMounts {
  readonly mounts: readonly SandboxMount[];
  readonly secretEnv: readonly string[];
  close(): void;
}

type MountOf<K extends RunMount["kind"]> = Extract<RunMount, { readonly kind: K }>;

function bindMount({ target, readOnly }: MountOf<"bind">, { lowers, path }: RunSource): SandboxMount {
  return { kind: "overlay", lowers, subPath: path, target, readOnly };
}

function cacheRequest(mount: MountOf<"cache">, seed: CacheSeed | null): CacheRequest {
  const { id, sharing } = mount;
  const [mode, uid, gid] = [mount.mode ?? 0o755, mount.uid ?? 0, mount.gid ?? 0];
  if (seed !== null) {
    return { id, sharing, mode, uid, gid, seed: seed.identity, fill: (directory) => seed.fill(directory) };
  }
  const hasOwner = mount.mode !== null || mount.uid !== null || mount.gid !== null;
  return { id, sharing, mode, uid, gid, seed: hasOwner ? [mode, uid, gid] : null, fill: null };
}

/** Takes the next of a list made to fit the spec. */
function next<T>(list: T[], what: string): T {
  const item = list.shift();
  if (item === undefined) throw new BuildError("INTERNAL", `the step was given too few ${what}`);
  return item;
}

/**
 * Turns the mounts of a RUN into mounts of a sandbox: waits for caches, reads secrets, forwards ssh agents. Throws
 * SECRET_NOT_FOUND for a required secret or agent that was not given.
 */
export async function resolveMounts(
  spec: RunSpec,
  inputs: MountInputs,
  services: MountServices,
  signal: AbortSignal,
): Promise<ResolvedMounts> {
  const closers: (() => void)[] = [];
  const close = (): void => {
    for (const one of closers.splice(0)) one();
  };
  try {
    const seeds = [...inputs.seeds];
    const requests = spec.mounts
      .filter((mount) => mount.kind === "cache")
      .map((mount) => cacheRequest(mount, mount.seed === null ? null : next(seeds, "cache seeds")));
    const caches = [...(await services.cacheMounts.hold(requests, signal))];
    closers.push(...[...new Set(caches)].map((cache) => () => cache.release()));
    const binds = [...inputs.binds];
    const mounts: SandboxMount[] = [];
    const secretEnv: string[] = [];
    for (const mount of spec.mounts) {
      switch (mount.kind) {
        case "bind":
          mounts.push(bindMount(mount, next(binds, "bind sources")));
          break;
        case "cache": {
          const { directory } = next(caches, "caches");
          mounts.push({
            kind: "bind",
            source: directory,
            subPath: "/",
            target: mount.target,
            readOnly: mount.readOnly,
          });
          break;
        }
        case "tmpfs":
          mounts.push(mount);
          break;
        case "secret": {
          const bytes = await readSecret(mount.id, mount.required, services.secrets, services.environment);
          if (mount.env !== null) secretEnv.push(`${mount.env}=${secretText(mount.id, bytes)}`);
          if (mount.target !== null && bytes !== null) {
            const { target, mode, uid, gid } = mount;
            mounts.push({ kind: "file", target, contentBase64: bytes.toString("base64"), mode, uid, gid });
          }
          break;
        }
        case "ssh": {
          const agent = services.ssh.find((candidate) => candidate.id === mount.id);
          if (agent !== undefined) {
            const name = `ssh-${closers.length}`;
            const socket = await forwardAgent(agent.socket, inputs.temporary, name, mount);
            closers.push(() => socket.close());
            mounts.push({ kind: "socket", source: socket.path, target: mount.target });
          } else if (mount.required) {
            throw new BuildError("SECRET_NOT_FOUND", `ssh agent ${JSON.stringify(mount.id)}: not forwarded`, {
              hint: mount.id === "default" ? "pass --ssh default" : `pass --ssh ${mount.id}=SOCKET`,
            });
          }
          break;
        }
      }
    }
    return { mounts, secretEnv, close };
  } catch (error) {
    close();
    throw error;
  }
}

/** A secret as the value of a variable; "" for one that was not given. */
function secretText(id: string, bytes: Buffer | null): string {
  if (bytes === null) return "";
  if (bytes.includes(0)) {
    throw new BuildError("SECRET_NOT_FOUND", `secret ${id}: has a NUL byte, which no environment variable can hold`);
  }
  return bytes.toString("utf8");
}
