import { mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import type { Digest } from "../base/digest.ts";
import { BuildError } from "../base/errors.ts";
import type { TaskRunner } from "../base/task.ts";
import { checkOutGit, type GitSource, readCommitTime, resolveGitRef } from "../context/git-checkout.ts";
import { parseGitUrl } from "../context/git-url.ts";
import { download } from "../context/http-download.ts";
import { openTree } from "../context/open-tree.ts";
import { redactUrls } from "../context/redact-url.ts";
import { spoolToFile } from "../context/spool-file.ts";
import { openTarContextTask, type TarContext } from "../context/tar-context.ts";
import type { TreeSpec } from "../context/tree-spec.ts";
import type { LayerStore } from "../store/layer-store.ts";
import type { OpenedContext, TimedTree } from "./build-contexts.ts";

/** The most a context that is sent may have. */
const maximumBytes = 64 * 2 ** 30;

/** Contexts that are not directories of this machine: they are brought into temporary directories of the store. */
export class RemoteContexts {
  readonly #layers: LayerStore;
  readonly #tasks: TaskRunner;

  constructor(layers: LayerStore, tasks: TaskRunner) {
    this.#layers = layers;
    this.#tasks = tasks;
  }

  /** A git repository at a ref, checked out. */
  async openGit(url: string, signal: AbortSignal): Promise<OpenedContext> {
    const git = parseGitUrl(url);
    if (git === null) throw new BuildError("INTERNAL", "not a git URL");
    const source = { remote: git.remote, ref: git.ref, checksum: git.checksum };
    const resolved = await resolveGitRef(source, signal);
    const root = await checkOutGit(
      {
        source,
        resolved,
        subdir: git.subdir,
        keepGitDir: git.keepGitDir ?? false,
        submodules: git.submodules ?? true,
        directory: join(await this.#layers.makeTemporary(), "checkout"),
      },
      signal,
    );
    return opened({ kind: "directory", root, ignore: [], ignoreFile: null, statCache: null }, null);
  }

  /** An archive behind a URL, or a Dockerfile. */
  async openUrl(url: string, signal: AbortSignal): Promise<OpenedContext> {
    const directory = await this.#layers.makeTemporary();
    const file = join(directory, "context");
    const downloaded = await download({ url, file, maximumBytes, authorization: null, known: null }, signal);
    const context = await this.#openFile(file, directory, url, signal);
    return { ...context, modifiedAtSeconds: downloaded?.modifiedAtSeconds ?? context.modifiedAtSeconds };
  }

  /** What comes on stdin: an archive, or a Dockerfile. */
  async openStdin(stdin: Readable, signal: AbortSignal): Promise<OpenedContext> {
    const directory = await this.#layers.makeTemporary();
    const file = join(directory, "context");
    await spoolToFile(stdin, file, maximumBytes, "build context on stdin", signal);
    if (statSync(file).size === 0)
      throw new BuildError("CONTEXT_INVALID", "build context on stdin: nothing was sent", {
        hint: "pipe a tar or a Dockerfile into tsbuild, or name a directory",
      });
    return this.#openFile(file, directory, "-", signal);
  }

  /** A named context behind a URL: the files of an archive; of anything else one file called `context`. */
  async openNamed(url: string, signal: AbortSignal): Promise<TimedTree> {
    const directory = await this.#layers.makeTemporary();
    const only = join(directory, "only");
    const file = join(only, "context");
    mkdirSync(only);
    const downloaded = await download({ url, file, maximumBytes, authorization: null, known: null }, signal);
    const content = await this.#read(file, directory, signal);
    const modifiedAtSeconds = downloaded?.modifiedAtSeconds ?? null;
    if (content.kind === "tree")
      return { tree: content.tree, modifiedAtSeconds: modifiedAtSeconds ?? content.newestFileSeconds };
    const tree: TreeSpec = { kind: "directory", root: only, ignore: [], ignoreFile: null, statCache: null };
    return { tree, modifiedAtSeconds };
  }

  /** When the commit was committed that a ref means, in seconds since 1970. */
  async commitTime(source: GitSource, signal: AbortSignal): Promise<number> {
    const resolved = await resolveGitRef(source, signal);
    const directory = join(await this.#layers.makeTemporary(), "commit");
    return readCommitTime(source, resolved, directory, signal);
  }

  /** Last-Modified of a URL, or else the time of the newest file if it is an archive; seconds since 1970, or null. */
  async timeOfUrl(url: string, checksum: Digest | null, signal: AbortSignal): Promise<number | null> {
    const directory = await this.#layers.makeTemporary();
    const file = join(directory, "download");
    const downloaded = await download({ url, file, maximumBytes, authorization: null, known: null }, signal);
    if (downloaded !== null && checksum !== null && downloaded.digest !== checksum)
      throw new BuildError(
        "ADD_CHECKSUM_MISMATCH",
        `digest mismatch for ${redactUrls(url)}: got ${downloaded.digest}, want ${checksum}`,
      );
    if (downloaded?.modifiedAtSeconds != null) return downloaded.modifiedAtSeconds;
    const content = await this.#read(file, directory, signal);
    return content.kind === "tree" ? content.newestFileSeconds : null;
  }

  async #openFile(file: string, directory: string, name: string, signal: AbortSignal): Promise<OpenedContext> {
    const content = await this.#read(file, directory, signal);
    if (content.kind === "tree") return opened(content.tree, content.newestFileSeconds);
    const nothing: TreeSpec = { kind: "layers", layers: [] };
    return { ...opened(nothing, null), dockerfile: { path: name, bytes: Buffer.from(content.bytes) } };
  }

  #read(file: string, directory: string, signal: AbortSignal): Promise<TarContext> {
    return this.#tasks.run(openTarContextTask, { file, directory }, signal);
  }
}

const opened = (tree: TreeSpec, modifiedAtSeconds: number | null): OpenedContext => ({
  tree,
  modifiedAtSeconds,
  files: openTree(tree),
  dockerfile: null,
});
