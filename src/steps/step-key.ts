import { canonicalJson, type JsonValue } from "../base/canonical-json.ts";
import { type CacheKey, type DiffId, type Digest, digestOf } from "../base/digest.ts";
import type { CopyInlineAction, CopyPathsAction, OpSpec, RunMount, TreeSource } from "../plan/build-graph.ts";

type SpecOf<K extends OpSpec["kind"]> = Extract<OpSpec, { readonly kind: K }>;

/** What a step reads from a tree: by the digest of it, or by the key of the step that makes the tree. */
export type ReadContent =
  | { readonly by: "content"; readonly digest: Digest }
  | { readonly by: "definition"; readonly key: CacheKey };

/** What a key was made from, to explain it later. */
export interface KeyedStep {
  readonly key: CacheKey;
  readonly inputs: JsonValue;
}

/** A place in a step where it reads a tree, in the order `ReadContent`s are given to `runKey` and `copyKey`. */
export interface TreeRead {
  readonly source: TreeSource;
  readonly paths: readonly string[];
}

/** Changes whenever keys of an earlier version must not be found any more. */
const keyVersion = 1;

/** The one place where keys are made: sha256 of the canonical JSON of what a step does and the keys of its inputs. */
function keyed(inputs: { readonly [member: string]: JsonValue | undefined }): KeyedStep {
  return { key: digestOf(canonicalJson({ version: keyVersion, ...inputs })) as string as CacheKey, inputs };
}

/** An image is what its layers are: another tag or manifest of the same layers is the same file system. */
export const imageKey = (diffIds: readonly DiffId[]): KeyedStep => keyed({ step: "image", diffIds });

/** The layer that `merged` become on top of `below`, both lowest first. */
export const squashKey = (merged: readonly DiffId[], below: readonly DiffId[]): KeyedStep =>
  keyed({ step: "squash", merged, below });

/**
 * RUN. Not part of the key: proxy variables, values of secrets, content, id and sharing of cache mounts, addresses of
 * extra hosts.
 */
export function runKey(spec: SpecOf<"run">, parent: CacheKey | null, reads: readonly ReadContent[]): KeyedStep {
  const remaining = [...reads];
  return keyed({
    step: "run",
    parent,
    args: spec.args,
    env: spec.env,
    cwd: spec.cwd,
    user: spec.user,
    network: spec.network,
    security: spec.security,
    hostname: spec.hostname,
    hosts: spec.extraHosts.map(({ name }) => name),
    shmSizeBytes: spec.shmSizeBytes,
    ulimits: spec.ulimits.map(({ name, soft, hard }) => [name, soft, hard]),
    pipes: spec.pipes.map(({ name, content }) => [name, content]),
    platform: [spec.platform.os, spec.platform.architecture, spec.platform.variant, spec.platform.osVersion],
    mounts: spec.mounts.map((mount) => describeMount(mount, remaining)),
  });
}

function describeMount(mount: RunMount, reads: ReadContent[]): JsonValue {
  switch (mount.kind) {
    case "bind":
      return ["bind", mount.target, mount.readOnly, describeMounted(reads.shift(), mount.path)];
    case "cache":
      return [
        "cache",
        mount.target,
        mount.readOnly,
        mount.seed === null ? null : describeMounted(reads.shift(), mount.seed.path),
      ];
    case "tmpfs":
      return ["tmpfs", mount.target, mount.sizeBytes];
    case "secret":
    case "ssh":
      return [
        mount.kind,
        mount.id,
        mount.target,
        mount.kind === "secret" ? mount.env : null,
        mount.required,
        mount.mode,
        mount.uid,
        mount.gid,
      ];
  }
}

/** Where RUN reads trees: sources of bind mounts and seeds of cache mounts. */
export function readsOfRun(spec: SpecOf<"run">): readonly TreeRead[] {
  return spec.mounts.flatMap((mount): TreeRead[] => {
    if (mount.kind === "bind") return [{ source: mount.source, paths: [mount.path] }];
    if (mount.kind === "cache" && mount.seed !== null) return [{ source: mount.seed.source, paths: [mount.seed.path] }];
    return [];
  });
}

/**
 * COPY and ADD. Of a source's path only the last component counts: the content stands for the rest, unless the whole
 * path appears at the destination (`--parents`) or names what is read by definition.
 */
export function copyKey(spec: SpecOf<"copy">, parent: CacheKey | null, reads: readonly ReadContent[]): KeyedStep {
  const remaining = [...reads];
  return keyed({ step: "copy", parent, actions: spec.actions.map((action) => describeAction(action, remaining)) });
}

function describeAction(action: CopyPathsAction | CopyInlineAction, reads: ReadContent[]): JsonValue {
  const { destination, chown, chmod } = action;
  if (action.kind === "inline") return { inline: action.name, content: action.content, destination, chown, chmod };
  const read = reads.shift();
  const wholePaths = action.parents || read?.by === "definition";
  return {
    paths: wholePaths ? action.paths : action.paths.map(lastComponent),
    source: describeRead(read),
    destination,
    chown,
    chmod,
    parents: action.parents,
    excludes: action.excludes,
    unpack: action.unpack,
  };
}

const lastComponent = (path: string): string => path.split("/").findLast((part) => part !== "" && part !== ".") ?? "/";

/** Where COPY reads trees. */
export function readsOfCopy(spec: SpecOf<"copy">): readonly TreeRead[] {
  return spec.actions.flatMap((action) =>
    action.kind === "paths" ? [{ source: action.source, paths: action.paths }] : [],
  );
}

/** WORKDIR. */
export const workdirKey = (spec: SpecOf<"workdir">, parent: CacheKey | null): KeyedStep =>
  keyed({ step: "workdir", parent, path: spec.path, user: spec.user, epoch: spec.epoch });

/** A layer made from nothing on top of something. */
export const mergeKey = (parent: CacheKey | null, layer: CacheKey): KeyedStep =>
  keyed({ step: "merge", parent, layer });

/** ADD of a URL: the file's content, name and time; without the time when a checksum says what the content is. */
export const httpKey = (spec: SpecOf<"http">, content: Digest, mtimeSeconds: number | null): KeyedStep =>
  keyed({ step: "http", fileName: spec.fileName, content, mtimeSeconds });

/** A git checkout: the commit and what of it is taken. */
export const gitKey = (spec: SpecOf<"git">, commit: string): KeyedStep =>
  keyed({
    step: "git",
    commit,
    ref: spec.keepGitDir ? spec.ref : null,
    subdir: spec.subdir,
    keepGitDir: spec.keepGitDir,
    submodules: spec.submodules,
  });

/** Content stands for the path it was found at; a definition is that of the whole tree. */
const describeMounted = (read: ReadContent | undefined, path: string): JsonValue =>
  read?.by === "definition" ? [describeRead(read), path] : describeRead(read);

function describeRead(read: ReadContent | undefined): JsonValue {
  if (read === undefined) return null;
  return read.by === "content" ? { content: read.digest } : { definition: read.key };
}
