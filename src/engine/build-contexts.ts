import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { BuildError } from "../base/errors.ts";
import { describeDirectory } from "../context/directory-spec.ts";
import { openDirectoryTree } from "../context/directory-tree.ts";
import { isGitUrl, isHttpUrl, parseGitUrl } from "../context/git-url.ts";
import { compilePatterns } from "../context/pattern-matcher.ts";
import { type ControlFile, readDockerfileAt, readDockerfileFrom } from "../context/read-context-file.ts";
import type { DirectorySpec, TreeSpec } from "../context/tree-spec.ts";
import type { BuildRequest } from "./build-request.ts";
import { readStdin } from "./read-stdin.ts";
import type { RemoteContexts } from "./remote-contexts.ts";

/** The main context, opened: where files come from, and the Dockerfile. */
interface MainContext extends TimedTree {
  readonly dockerfile: ControlFile;
}

/** The build contexts of one request by name, each opened when something first needs it. "context" is the main one. */
export class BuildContexts {
  readonly remote: RemoteContexts;
  readonly #request: BuildRequest;
  readonly #statCaches: string;
  readonly #named = new Map<string, Promise<TimedTree>>();
  #main: Promise<MainContext> | null = null;

  /** `statCaches` is the directory for the stat caches of local directories. */
  constructor(request: BuildRequest, statCaches: string, remote: RemoteContexts) {
    this.#request = request;
    this.#statCaches = statCaches;
    this.remote = remote;
  }

  async dockerfile(signal: AbortSignal): Promise<ControlFile> {
    return (await this.#openMain(signal)).dockerfile;
  }

  /** The tree of a context; of a named one only if it is a directory or an archive. */
  async open(name: string, signal: AbortSignal): Promise<TreeSpec> {
    return (await this.#open(name, signal)).tree;
  }

  /**
   * The time a context has in itself, in seconds since 1970: a commit's, Last-Modified, or that of an archive's newest
   * file. null for a directory of this machine.
   */
  async modifiedAt(name: string, signal: AbortSignal): Promise<number | null> {
    const git = name === "context" ? parseGitUrl(this.#request.context) : null;
    if (git !== null) return this.remote.commitTime(git, signal);
    return (await this.#open(name, signal)).modifiedAtSeconds;
  }

  async #open(name: string, signal: AbortSignal): Promise<TimedTree> {
    if (name === "context") return this.#openMain(signal);
    const known = this.#named.get(name);
    if (known !== undefined) return known;
    const source = this.#request.namedContexts.get(name);
    if (source === undefined) throw new BuildError("INTERNAL", `no context is called ${name}`);
    const opening = isHttpUrl(source)
      ? this.remote.openNamed(source, signal)
      : Promise.resolve({
          tree: this.#describe(requireDirectory(source, `build context ${JSON.stringify(name)}`), null),
          modifiedAtSeconds: null,
        });
    this.#named.set(name, opening);
    return opening;
  }

  /** Which files of the main context its ignore file leaves out; null when it has none, or one with exceptions. */
  async ignoreRule(signal: AbortSignal): Promise<((path: string) => boolean) | null> {
    const { tree } = await this.#openMain(signal);
    if (tree.kind !== "directory" || tree.ignore.length === 0) return null;
    const matcher = compilePatterns(tree.ignore.map(({ pattern }) => pattern));
    return matcher.hasExceptions ? null : (path) => matcher.matches(path);
  }

  #openMain(signal: AbortSignal): Promise<MainContext> {
    this.#main ??= this.#findMain(signal);
    return this.#main;
  }

  async #findMain(signal: AbortSignal): Promise<MainContext> {
    const { context, dockerfile } = this.#request;
    if (context === "-" && dockerfile === "-")
      throw new BuildError("USAGE_INVALID", "context and Dockerfile cannot both come from stdin", {
        hint: "name a directory as context, or leave -f out to send an archive",
      });
    const given = dockerfile === "-" ? { path: "-", bytes: await readStdin(this.#request.stdin) } : null;
    if (context === "-") return this.#withDockerfile(await this.remote.openStdin(this.#request.stdin, signal), given);
    if (isGitUrl(context)) return this.#withDockerfile(await this.remote.openGit(context, signal), given);
    if (isHttpUrl(context)) return this.#withDockerfile(await this.remote.openUrl(context, signal), given);
    return this.#openDirectory(requireDirectory(context, "build context"), given);
  }

  /** `-f` names a file of the context when that is not a local directory. */
  #withDockerfile(opened: OpenedContext, given: ControlFile | null): MainContext {
    const { tree, modifiedAtSeconds, files } = opened;
    const dockerfile =
      given ?? opened.dockerfile ?? readDockerfileFrom(files, this.#request.dockerfile ?? "Dockerfile");
    return { tree, modifiedAtSeconds, dockerfile };
  }

  #openDirectory(root: string, given: ControlFile | null): MainContext {
    const local = { modifiedAtSeconds: null };
    if (given !== null) return { ...local, tree: this.#describe(root, null), dockerfile: given };
    const named = this.#request.dockerfile;
    if (named !== null) {
      const dockerfile = readDockerfileAt(resolve(named));
      return {
        ...local,
        tree: this.#describe(root, dockerfile.path),
        dockerfile: { path: shortPath(dockerfile.path), bytes: dockerfile.bytes },
      };
    }
    const everything: DirectorySpec = { kind: "directory", root, ignore: [], ignoreFile: null, statCache: null };
    const dockerfile = readDockerfileFrom(openDirectoryTree(everything), "Dockerfile");
    const path = join(root, dockerfile.path);
    return {
      ...local,
      tree: this.#describe(root, path),
      dockerfile: { path: shortPath(path), bytes: dockerfile.bytes },
    };
  }

  #describe(root: string, dockerfile: string | null): DirectorySpec {
    const statCache = join(this.#statCaches, createHash("sha256").update(root).digest("hex"));
    return describeDirectory(root, dockerfile, statCache);
  }
}

/** A context, and the time it has in itself: seconds since 1970, null for none. */
export interface TimedTree {
  readonly tree: TreeSpec;
  readonly modifiedAtSeconds: number | null;
}

/** A context that is not a local directory. */
export interface OpenedContext extends TimedTree {
  readonly files: Parameters<typeof readDockerfileFrom>[0];
  /** The context itself when it was a Dockerfile and nothing else. */
  readonly dockerfile: ControlFile | null;
}

function requireDirectory(path: string, what: string): string {
  const root = resolve(path);
  const stat = statSync(root, { throwIfNoEntry: false });
  if (stat?.isDirectory()) return root;
  throw new BuildError(
    "CONTEXT_NOT_FOUND",
    `${what} "${path}": ${stat === undefined ? "no such directory" : "not a directory"}`,
    {
      hint: "the context is a directory, - for stdin, a git URL or an http(s) URL; see tsbuild build --help",
    },
  );
}

/** As seen from the working directory when it lies below it. */
function shortPath(path: string): string {
  const short = relative(process.cwd(), path);
  return short.startsWith("..") ? path : short;
}
