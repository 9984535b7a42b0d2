import { BuildError } from "../base/errors.ts";
import { compareNames } from "../base/file-name.ts";
import type { MountFlag } from "../dockerfile/instruction.ts";
import type { RunMount, TreeSource } from "./build-graph.ts";
import { absolutePath, baseName, cleanPath } from "./container-path.ts";

/** What a mount may refer to: the working directory, named sources, the prefix of cache ids. */
export interface MountScope {
  readonly workingDir: string;
  readonly cacheNamespace: string;
  /** The tree `from` stands for. */
  sourceOf(from: string, target: string): TreeSource;
}

const mainContext: TreeSource = { kind: "context", name: "context" };
const defaultCacheMode = 0o755;
const defaultSecretMode = 0o400;
const defaultSshMode = 0o600;

/**
 * The mounts of a RUN with all defaults filled in: file systems by target, then secrets and ssh sockets as written.
 * Throws MOUNT_INVALID.
 */
export function planMounts(flags: readonly MountFlag[], scope: MountScope): readonly RunMount[] {
  const mounts = flags.map((flag) => planMount(flag, scope));
  const fileSystems = mounts.filter((mount) => mount.kind !== "secret" && mount.kind !== "ssh");
  const secrets = mounts.filter((mount) => mount.kind === "secret");
  const sockets = mounts
    .filter((mount) => mount.kind === "ssh")
    .map((mount, at) => (mount.target === "" ? { ...mount, target: `/run/buildkit/ssh_agent.${at}` } : mount));
  return [...fileSystems.sort((a, b) => compareNames(a.target, b.target)), ...secrets, ...sockets];
}

function planMount(flag: MountFlag, scope: MountScope): RunMount {
  switch (flag.type) {
    case "bind":
      return {
        kind: "bind",
        source: flag.from === null ? mainContext : scope.sourceOf(flag.from, flag.target ?? ""),
        path: cleanPath(`/${flag.source ?? ""}`),
        target: mountTarget(flag, scope),
        readOnly: flag.readOnly ?? true,
      };
    case "cache":
      return planCache(flag, scope);
    case "tmpfs":
      return {
        kind: "tmpfs",
        target: mountTarget(flag, scope),
        sizeBytes: flag.sizeBytes === 0 ? null : flag.sizeBytes,
      };
    case "secret":
      return planSecret(flag, scope);
    case "ssh":
      return planSsh(flag, scope);
  }
}

function mountTarget(flag: MountFlag, scope: MountScope): string {
  const target = absolutePath(scope.workingDir, flag.target ?? "");
  if (target !== "/") return target;
  throw new BuildError("MOUNT_INVALID", `invalid mount target "/"`, {
    hint: "give the mount a target below the root, or set a WORKDIR",
  });
}

function planCache(flag: MountFlag, scope: MountScope): RunMount {
  const path = cleanPath(`/${flag.source ?? ""}`);
  const seed = flag.from === null ? null : { source: scope.sourceOf(flag.from, flag.target ?? ""), path };
  const hasOwner = flag.mode !== null || flag.uid !== null || flag.gid !== null;
  const id = flag.id === null || flag.id === "" ? cleanPath(flag.target ?? ".") : flag.id;
  return {
    kind: "cache",
    id: scope.cacheNamespace === "" ? id : `${scope.cacheNamespace}/${id}`,
    target: mountTarget(flag, scope),
    sharing: flag.sharing ?? "shared",
    readOnly: flag.readOnly ?? false,
    // an owner asks for a directory of that owner, which is empty; a source path overrules it
    ...(hasOwner && path === "/"
      ? { seed: null, mode: flag.mode ?? defaultCacheMode, uid: flag.uid ?? 0, gid: flag.gid ?? 0 }
      : { seed, mode: null, uid: null, gid: null }),
  };
}

function planSecret(flag: MountFlag, scope: MountScope): RunMount {
  const id = notEmpty(flag.source) ?? notEmpty(flag.id) ?? (flag.target === null ? null : baseName(flag.target));
  if (id === null)
    throw new BuildError("MOUNT_INVALID", "invalid secret mount: got no id, want one of id, source, target");
  const target = notEmpty(flag.target) ?? (flag.env === null ? `/run/secrets/${baseName(id)}` : null);
  return {
    kind: "secret",
    id,
    target: target === null ? null : absolutePath(scope.workingDir, target),
    // without a name of its own the variable is called like the secret
    env: flag.env === "" ? id : flag.env,
    required: flag.required,
    mode: flag.mode ?? defaultSecretMode,
    uid: flag.uid ?? 0,
    gid: flag.gid ?? 0,
  };
}

function planSsh(flag: MountFlag, scope: MountScope): Extract<RunMount, { kind: "ssh" }> {
  if (notEmpty(flag.source) !== null) throw new BuildError("MOUNT_INVALID", "ssh does not support source");
  return {
    kind: "ssh",
    id: notEmpty(flag.id) ?? "default",
    target: notEmpty(flag.target) === null ? "" : absolutePath(scope.workingDir, flag.target ?? ""),
    required: flag.required,
    mode: flag.mode ?? defaultSshMode,
    uid: flag.uid ?? 0,
    gid: flag.gid ?? 0,
  };
}

const notEmpty = (text: string | null): string | null => (text === "" ? null : text);
