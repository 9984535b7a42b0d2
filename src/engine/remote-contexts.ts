import { mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { BuildError } from "../base/errors.ts";
import type { TaskRunner } from "../base/task.ts";
import { checkOutGit, resolveGitRef } from "../context/git-checkout.ts";
import { parseGitUrl } from "../context/git-url.ts";
import { download } from "../context/http-download.ts";
import { openTree } from "../context/open-tree.ts";
import { spoolToFile } from "../context/spool-file.ts";
import { openTarContextTask, type TarContext } from "../context/tar-context.ts";
import type { TreeSpec } from "../context/tree-spec.ts";
import type { LayerStore } from "../store/layer-store.ts";
import type { OpenedContext } from "./build-contexts.ts";

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
    return opened({ kind: "directory", root, ignore: [], ignoreFile: null, statCache: null });
  }

  /** An archive behind a URL, or a Dockerfile. */
  async openUrl(url: string, signal: AbortSignal): Promise<OpenedContext> {
    const directory = await this.#layers.makeTemporary();
    const file = join(directory, "context");
    await download({ url, file, maximumBytes, authorization: null, known: null }, signal);
    return this.#openFile(file, directory, url, signal);
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
  async openNamed(url: string, signal: AbortSignal): Promise<TreeSpec> {
    const directory = await this.#layers.makeTemporary();
    const only = join(directory, "only");
    const file = join(only, "context");
    mkdirSync(only);
    await download({ url, file, maximumBytes, authorization: null, known: null }, signal);
    const content = await this.#read(file, directory, signal);
    if (content.kind === "tree") return content.tree;
    return { kind: "directory", root: only, ignore: [], ignoreFile: null, statCache: null };
  }

  async #openFile(file: string, directory: string, name: string, signal: AbortSignal): Promise<OpenedContext> {
    const content = await this.#read(file, directory, signal);
    if (content.kind === "tree") return opened(content.tree);
    const nothing: TreeSpec = { kind: "layers", layers: [] };
    return { ...opened(nothing), dockerfile: { path: name, bytes: Buffer.from(content.bytes) } };
  }

  #read(file: string, directory: string, signal: AbortSignal): Promise<TarContext> {
    return this.#tasks.run(openTarContextTask, { file, directory }, signal);
  }
}

const opened = (tree: TreeSpec): OpenedContext => ({ tree, files: openTree(tree), dockerfile: null });
