import { readFileSync } from "node:fs";
import { join } from "node:path";
import { BuildError, exitCodeOf } from "../base/errors.ts";
import { packageRoot } from "../base/package-root.ts";
import { type CommandHandlers, runCommandLine } from "./command-line.ts";
import { parseCall } from "./parse-call.ts";
import { renderError } from "./render-error.ts";
import { ReportedError } from "./reported-error.ts";

/** Each command's module is loaded when the command runs: a start pays only for what it uses. */
const handlers: CommandHandlers = {
  build: async (context, options) => {
    const call = parseCall(options.call, options.check === true);
    if (call === null) return (await import("./build-command.ts")).runBuild(context, options);
    return (await import("./call-command.ts")).runCall(call, context, options);
  },
  images: async (repository, options) => (await import("./images-command.ts")).runImages(repository, options),
  history: async (image, options) => (await import("./history-command.ts")).runHistory(image, options),
  inspect: async (images, options) => (await import("./inspect-command.ts")).runInspect(images, options),
  tag: async (source, target, options) => (await import("./tag-command.ts")).runTag(source, target, options),
  pull: async (reference, options) => (await import("./pull-command.ts")).runPull(reference, options),
  login: async (registry, options) => (await import("./login-command.ts")).runLogin(registry, options),
  logout: async (registry) => (await import("./login-command.ts")).runLogout(registry),
  push: async (references, options) => (await import("./push-command.ts")).runPush(references, options),
  manifestInspect: async (reference, options) =>
    (await import("./manifest-inspect-command.ts")).runManifestInspect(reference, options),
  manifestCreate: async (reference, sources, options) =>
    (await import("./manifest-create-command.ts")).runManifestCreate(reference, sources, options),
  registryServe: async (options) => (await import("./registry-serve-command.ts")).runRegistryServe(options),
  cp: async (source, destination, options) => (await import("./cp-command.ts")).runCp(source, destination, options),
  rmi: async (images, options) => (await import("./rmi-command.ts")).runRmi(images, options),
  save: async (images, options) => (await import("./save-command.ts")).runSave(images, options),
  load: async (options) => (await import("./load-command.ts")).runLoad(options),
  export: async (image, options) => (await import("./export-command.ts")).runExport(image, options),
  import: async (source, reference, options) =>
    (await import("./import-command.ts")).runImport(source, reference, options),
  ls: async (place, options) => (await import("./ls-command.ts")).runLs(place, options),
  cat: async (place, options) => (await import("./cat-command.ts")).runCat(place, options),
  diff: async (before, after, options) => (await import("./diff-command.ts")).runDiff(before, after, options),
  verify: async (source, options) => (await import("./verify-command.ts")).runVerify(source, options),
  squash: async (image, options) => (await import("./squash-command.ts")).runSquash(image, options),
  run: async (image, command, options) => (await import("./run-command.ts")).runRun(image, command, options),
  commit: async (container, reference, options) =>
    (await import("./commit-command.ts")).runCommit(container, reference, options),
  ps: async (options) => (await import("./ps-command.ts")).runPs(options),
  rm: async (containers, options) => (await import("./rm-command.ts")).runRm(containers, options),
  logs: async (container, options) => (await import("./logs-command.ts")).runLogs(container, options),
  prune: async (options) => (await import("./prune-command.ts")).runPrune(options),
  du: async (options) => (await import("./du-command.ts")).runDu(options),
  completion: async (shell, tree) => (await import("./completion-command.ts")).runCompletion(shell, tree),
  complete: async (kind, options) => (await import("./completion-command.ts")).runComplete(kind, options),
  debugInstructions: async (file) => (await import("./debug-command.ts")).printInstructions(file),
  version: () => {
    const { version } = JSON.parse(readFileSync(join(packageRoot(), "package.json"), "utf8"));
    process.stdout.write(`tsbuild ${version}\n`);
  },
};

/** Runs the command line; what the process shall exit with. */
export async function main(args: readonly string[]): Promise<number> {
  const out = (text: string): void => void process.stdout.write(text);
  const err = (text: string): void => void process.stderr.write(text);
  whenFirstUsed("stdout", (stream) => tolerateClosedReader(stream, err));
  whenFirstUsed("stderr", (stream) => tolerateClosedReader(stream, () => {}));
  try {
    await runCommandLine(args, handlers, { out, err });
    return 0;
  } catch (error) {
    if (error instanceof ReportedError) return error.exitCode;
    err(renderError(error, { excerpt: null, step: null, debug: args.includes("--debug") }));
    // as docker run: what the program may exit with means the program
    return args[0] === "run" ? 125 : exitCodeOf(error);
  }
}

/** Has `prepare` look at a stream of this process as soon as somebody asks for it: making one takes milliseconds. */
function whenFirstUsed(name: "stdout" | "stderr", prepare: (stream: NodeJS.WriteStream) => void): void {
  const { get } = Object.getOwnPropertyDescriptor(process, name) ?? {};
  let stream: NodeJS.WriteStream | null = null;
  Object.defineProperty(process, name, {
    configurable: true,
    enumerable: true,
    get(): NodeJS.WriteStream {
      if (stream !== null) return stream;
      const made: NodeJS.WriteStream = get?.call(process);
      stream = made;
      prepare(made);
      return made;
    },
  });
}

/** A reader that goes away, as in `tsbuild images | head -1`, has what it wants; that text cannot be written is an error. */
function tolerateClosedReader(stream: NodeJS.WriteStream, err: (text: string) => void): void {
  stream.on("error", (cause: NodeJS.ErrnoException) => {
    if (cause.code === "EPIPE") return;
    const error = new BuildError("EXPORT_DESTINATION_INVALID", `output cannot be written: ${cause.message}`, { cause });
    err(renderError(error, { excerpt: null, step: null, debug: false }));
    process.exit(exitCodeOf(error));
  });
}
