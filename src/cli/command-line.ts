import { Argument, Command, CommanderError, Option } from "commander";
import { BuildError } from "../base/errors.ts";
import { didYouMean } from "../dockerfile/suggest-name.ts";
import { type CommandNode, kindOfPlace } from "./completion/command-tree.ts";
import type { Shell } from "./completion-command.ts";
import { addContainerCommands, type ContainerHandlers } from "./container-commands.ts";
import { addImageCommands, examples, type ImageHandlers } from "./image-commands.ts";
import { type LimitOptions, limitFlags } from "./limit-flags.ts";
import { addRegistryCommands, type RegistryHandlers } from "./registry-commands.ts";

/** Options every command has. */
export interface GlobalOptions {
  readonly root?: string;
  readonly debug?: boolean;
}

/** Options of `build` as the command line gives them, unparsed. */
export interface BuildOptions extends GlobalOptions, LimitOptions {
  readonly tag: readonly string[];
  readonly file?: string;
  readonly buildArg: readonly string[];
  readonly target?: string;
  readonly platform: readonly string[];
  readonly cache: boolean;
  /** `--no-cache-filter`: commander takes the `no-` off. */
  readonly cacheFilter: readonly string[];
  readonly pull?: boolean;
  readonly label: readonly string[];
  readonly annotation: readonly string[];
  readonly network: string;
  readonly addHost: readonly string[];
  readonly shmSize?: string;
  readonly ulimit: readonly string[];
  readonly secret: readonly string[];
  readonly ssh: readonly string[];
  readonly buildContext: readonly string[];
  readonly output: readonly string[];
  readonly push?: boolean;
  readonly allow: readonly string[];
  readonly squash?: string;
  readonly iidfile?: string;
  readonly metadataFile?: string;
  readonly quiet?: boolean;
  readonly progress: string;
  readonly jobs?: string;
  readonly call?: string;
  readonly check?: boolean;
}

export interface PruneOptions extends GlobalOptions {
  readonly all?: boolean;
  readonly containers?: boolean;
  readonly images?: boolean;
  readonly filter: readonly string[];
  readonly keepStorage?: string;
  readonly maxUsedSpace?: string;
  readonly until?: string;
}

export interface DuOptions extends GlobalOptions {
  readonly format?: string;
  readonly verbose?: boolean;
}

export interface SaveOptions extends GlobalOptions {
  readonly output?: string;
  readonly format: "docker" | "oci";
  readonly platform?: string;
}

export interface LoadOptions extends GlobalOptions {
  readonly input?: string;
  readonly tag?: string;
}

export interface ExportOptions extends GlobalOptions {
  readonly output?: string;
  readonly platform?: string;
}

export interface ImportOptions extends GlobalOptions {
  readonly change: readonly string[];
  readonly message?: string;
  readonly platform?: string;
}

export interface LsOptions extends GlobalOptions {
  readonly platform?: string;
}

export interface CatOptions extends GlobalOptions {
  readonly platform?: string;
}

export interface SquashOptions extends GlobalOptions {
  readonly tag: readonly string[];
  readonly from?: string;
  readonly quiet?: boolean;
}

export interface VerifyOptions extends GlobalOptions {
  readonly format: "text" | "json";
  readonly strict?: boolean;
}

export interface DiffOptions extends GlobalOptions {
  readonly platform?: string;
  readonly format: "text" | "json";
  readonly from?: string;
}

/** What runs when a command was recognised; each is loaded only then. */
export interface CommandHandlers extends ContainerHandlers, ImageHandlers, RegistryHandlers {
  build(context: string, options: BuildOptions): Promise<void>;
  save(images: readonly string[], options: SaveOptions): Promise<void>;
  load(options: LoadOptions): Promise<void>;
  export(image: string, options: ExportOptions): Promise<void>;
  import(source: string, reference: string | undefined, options: ImportOptions): Promise<void>;
  ls(place: string, options: LsOptions): Promise<void>;
  cat(place: string, options: CatOptions): Promise<void>;
  diff(before: string, after: string | undefined, options: DiffOptions): Promise<void>;
  verify(source: string, options: VerifyOptions): Promise<void>;
  squash(image: string, options: SquashOptions): Promise<void>;
  prune(options: PruneOptions): Promise<void>;
  du(options: DuOptions): Promise<void>;
  completion(shell: Shell, tree: CommandNode): Promise<void>;
  complete(kind: string, options: GlobalOptions): Promise<void>;
  debugInstructions(file: string, options: GlobalOptions): Promise<void>;
  version(): void;
}

export interface Streams {
  out(text: string): void;
  err(text: string): void;
}

const collect = (value: string, previous: readonly string[]): readonly string[] => [...previous, value];
const collectList = (value: string, previous: readonly string[]): readonly string[] => [
  ...previous,
  ...value.split(","),
];

const repeatable = (flags: string, description: string): Option =>
  new Option(flags, description).default([], "none").argParser(collect);
const repeatableList = (flags: string, description: string): Option =>
  new Option(flags, description).default([], "none").argParser(collectList);

/** What files that declare commands make them with: this one alone knows the package behind it. */
export interface CommandMaker {
  /** A command with the options that all have. */
  command(name: string, description: string): Command;
  /** An option whose value is the list of all times it is given. */
  repeatable(flags: string, description: string): Option;
  /** An option whose value is one of few. */
  oneOf(flags: string, description: string, choices: readonly string[], choice: string): Option;
}

const oneOf = (flags: string, description: string, choices: readonly string[], choice: string): Option =>
  new Option(flags, description).choices([...choices]).default(choice);

const progressOption = (): Option =>
  new Option("--progress <kind>", "how progress is shown")
    .choices(["auto", "tty", "plain", "rawjson", "quiet"])
    .default("auto");

/**
 * Reads `args` (without program name) and runs the command they name. Throws USAGE_* for a command line that cannot be
 * understood; help and version are printed, not thrown.
 */
export async function runCommandLine(
  args: readonly string[],
  handlers: CommandHandlers,
  streams: Streams,
): Promise<void> {
  const program = createProgram(handlers, streams);
  try {
    // what stands behind the image of run belongs to its program
    const own = args[0] === "run" ? [...args] : withPlainBooleans(withSquashValue(args), program);
    await program.parseAsync(own, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return;
    throw usageError(error, args, program);
  }
}

/** `--squash` takes a value only behind "=": what stands behind it is the context. */
function withSquashValue(args: readonly string[]): string[] {
  const end = args.indexOf("--");
  return args.map((arg, at) => (arg === "--squash" && (end < 0 || at < end) ? "--squash=new" : arg));
}

/** `--human=false`, as Go's programs take it: `--no-human`; `=true` is the option alone. */
function withPlainBooleans(args: readonly string[], program: Command): string[] {
  const end = args.indexOf("--");
  const command = program.commands.find((known) => known.name() === args[0]) ?? program.commands[0];
  const known = new Set(
    command?.options.filter((option) => !option.required && !option.optional).flatMap(({ long }) => long ?? []),
  );
  return args.flatMap((arg, at) => {
    const [, flag = "", value] = /^(--[a-z-]+)=(true|false)$/.exec(arg) ?? [];
    if (!known.has(flag) || (end >= 0 && at > end)) return [arg];
    if (value === "true") return [flag];
    const opposite = flag.startsWith("--no-") ? `--${flag.slice(5)}` : `--no-${flag.slice(2)}`;
    return known.has(opposite) ? [opposite] : [];
  });
}

/** commander writes `error: unknown option '--taget'\n(Did you mean --target?)`. */
function usageError(error: CommanderError, args: readonly string[], program: Command): BuildError {
  const [first = "", ...rest] = error.message.replace(/^error: /, "").split("\n");
  if (error.code === "commander.unknownOption") {
    const command = program.commands.find((known) => known.name() === args[0]) ?? program.commands[0];
    const names = command?.options.flatMap(({ long }) => long ?? []) ?? [];
    const flag = /'(--[^'=]+)/.exec(first)?.[1] ?? "";
    const help = `see tsbuild ${command?.name()} --help`;
    return new BuildError("USAGE_UNKNOWN_FLAG", first, { hint: didYouMean(flag, names) ?? help });
  }
  const suggestion = rest.join(" ").replace(/^\(Did you mean (.*)\?\)$/, 'did you mean "$1"?');
  return new BuildError("USAGE_INVALID", first, { hint: suggestion === "" ? "see tsbuild --help" : suggestion });
}

function createProgram(handlers: CommandHandlers, streams: Streams): Command {
  const program = new Command("tsbuild")
    .description("Builds container images from Dockerfiles, without a daemon.")
    .configureOutput({ writeOut: streams.out, writeErr: streams.out, outputError: () => {} })
    .showSuggestionAfterError(true)
    .exitOverride()
    .enablePositionalOptions()
    .option("--version", "print the version")
    .on("option:version", () => {
      handlers.version();
      throw new CommanderError(0, "commander.version", "");
    });

  const command = (name: string, description: string): Command =>
    program
      .command(name)
      .description(description)
      .option("--root <dir>", "the store (TSBUILD_ROOT; /var/lib/tsbuild as root, the XDG data directory otherwise)")
      .option("--debug", "show stack traces and causes of errors");

  addBuild(program, handlers);
  addImageCommands({ command, repeatable, oneOf }, handlers);
  addRegistryCommands({ command, repeatable, oneOf }, handlers);
  addContainerCommands({ command, repeatable, oneOf }, handlers);
  command("save", "write images as an archive")
    .argument("<images...>", "references, image IDs or beginnings of them")
    .option("-o, --output <file>", "the file to write, - for stdout (the default)")
    .addOption(
      new Option(
        "--format <format>",
        "docker: for docker load and everything that reads OCI; oci: several platforms too",
      )
        .choices(["docker", "oci"])
        .default("docker"),
    )
    .option("--platform <os/arch[/variant]>", "only this platform of each image")
    .addHelpText(
      "after",
      examples("save ns/app ns/other -o images.tar", "save --format oci ns/app | gzip > app.tar.gz"),
    )
    .action((images: string[], options: SaveOptions) => handlers.save(images, options));
  command("load", "take the images of an archive of docker save, or of an OCI layout, into the store")
    .option("-i, --input <file>", "archive, plain or compressed, or directory; - for stdin (the default)")
    .option("-t, --tag <reference>", "name for an image that has none in the archive")
    .addHelpText("after", examples("load -i images.tar", "load -t ns/app < nameless.tar.gz"))
    .action((options: LoadOptions) => handlers.load(options));
  command("export", "write an image's file system as a tar")
    .argument("<image>", "reference, image ID or the beginning of one")
    .option("-o, --output <file>", "the file to write, - for stdout (the default)")
    .option("--platform <os/arch[/variant]>", "the platform, where the image has several")
    .addHelpText("after", examples("export ns/app -o rootfs.tar", "export ns/app | tsbuild import - ns/flat:new"))
    .action((image: string, options: ExportOptions) => handlers.export(image, options));
  command("import", "make an image of a file system")
    .argument("<source>", "a tar, plain or compressed: a file, an http(s) URL, - for stdin")
    .argument("[reference]", "name of the image")
    .addOption(repeatable("-c, --change <instruction>", "a Dockerfile instruction about the config: CMD, ENV, USER, …"))
    .option("-m, --message <text>", "comment of the image's history")
    .option("--platform <os/arch[/variant]>", "platform of the image (default: this machine's)")
    .addHelpText(
      "after",
      examples(
        "import rootfs.tar.xz ns/app -c 'CMD [\"sh\"]'",
        "import https://example.com/rootfs.tar ns/app --platform linux/arm64",
      ),
    )
    .action((source: string, reference: string | undefined, options: ImportOptions) =>
      handlers.import(source, reference, options),
    );
  command("ls", "list a directory of an image")
    .argument("<image[:/path]>", "the image, and a path in it; its root when left out")
    .option("--platform <os/arch[/variant]>", "the platform, where the image has several")
    .addHelpText("after", examples("ls ns/app:/etc"))
    .action((place: string, options: LsOptions) => handlers.ls(place, options));
  command("cat", "print a file of an image")
    .argument("<image:/path>", "the image, and the path in it")
    .option("--platform <os/arch[/variant]>", "the platform, where the image has several")
    .addHelpText("after", examples("cat ns/app:/etc/os-release"))
    .action((place: string, options: CatOptions) => handlers.cat(place, options));
  command(
    "diff",
    "list what differs between two images, or what each layer of one changes: A added, C changed, D removed",
  )
    .argument("<before>", "reference, image ID or the beginning of one")
    .argument("[after]", "the image it is compared with; without it, the layers of the first are listed")
    .option("--platform <os/arch[/variant]>", "the platform, where images have several")
    .option(
      "--from <layer>",
      "list the last layers: how many, or the diffID or image they stand on (default: all but the lowest)",
    )
    .addOption(new Option("--format <format>", "how it is printed").choices(["text", "json"]).default("text"))
    .action((before: string, after: string | undefined, options: DiffOptions) => handlers.diff(before, after, options));
  command("verify", "check an image from its bytes: digests, sizes, documents, layers; one line a problem")
    .argument("<source>", "an image of the store, an archive or a directory with an OCI layout, - for stdin")
    .option("--strict", "hold the layers of an archive to what tsbuild writes: sorted, each path once")
    .addOption(new Option("--format <format>", "how problems are printed").choices(["text", "json"]).default("text"))
    .action((source: string, options: VerifyOptions) => handlers.verify(source, options));
  command("squash", "merge the layers of an image into one")
    .argument("<image>", "reference, image ID or the beginning of one")
    .addOption(
      repeatable("-t, --tag <reference>", "name of the new image, repeatable (default: the name it is asked by)"),
    )
    .option("--from <layer>", "merge only the last layers: how many, or the diffID or image they stand on")
    .option("-q, --quiet", "print the image ID only")
    .action((image: string, options: SquashOptions) => handlers.squash(image, options));
  command("prune", "remove build cache that nothing needs")
    .option("-a, --all", "remove all build cache; images stay")
    .option("--containers", "remove containers too that do not run")
    .option("--images", "remove images too that no container needs: all, or those that --filter names")
    .addOption(
      repeatable(
        "--filter <name=value>",
        "until=: as --until, and of images when they were built; of images label=, label!=, reference=; repeatable",
      ),
    )
    .option("--keep-storage <size>", "keep the most recently used cache up to this size")
    .option("--max-used-space <size>", "the same")
    .option("--until <duration>", "remove only what was not used for so long: 24h, 7d")
    .option("-f, --force", "do not ask, as is never done")
    .addHelpText(
      "after",
      examples("prune --until 7d", "prune -a --max-used-space 10g", "prune --images --filter label=stage=ci"),
    )
    .action((options: PruneOptions) => handlers.prune(options));
  command("du", "show what the store holds and how much of it prune can free")
    .option("--format <json|table|template>", "one JSON object a line, a table, or a Go template for each line")
    .option("-v, --verbose", "show every image, layer and cache record, and what they share")
    .addHelpText("after", examples("du -v", "du --format '{{.Type}}: {{.Size}}'", "du -v --format json"))
    .action((options: DuOptions) => handlers.du(options));
  program
    .command("completion")
    .description("print the script that completes commands, options and names in a shell")
    .addArgument(new Argument("<shell>", "the shell").choices(["bash", "zsh", "fish"]))
    .addHelpText("after", examples("completion bash > /etc/bash_completion.d/tsbuild", "completion fish | source"))
    .action((shell: Shell) => handlers.completion(shell, describeCommand(program, [])));
  program
    .command("__complete", { hidden: true })
    .argument("<image|container>")
    .action((kind: string, options: GlobalOptions) => handlers.complete(kind, options));
  const debug = program.command("debug").description("print what the parts of the builder hand to each other, as JSON");
  debug
    .command("instructions")
    .description("the instructions of a Dockerfile")
    .argument("<file>", "path of the Dockerfile")
    .action((file: string, options: GlobalOptions) => handlers.debugInstructions(file, options));
  program
    .command("version")
    .description("print the version")
    .action(() => handlers.version());
  return program;
}

/** What completion has to know of a command and of all below it. The program itself is also its default command. */
function describeCommand(command: Command, path: readonly string[]): CommandNode {
  const children = command.createHelp().visibleCommands(command);
  const meant = path.length === 0 ? [command, ...children.filter((child) => child.name() === "build")] : [command];
  const [argument] = meant.flatMap(({ registeredArguments }) => registeredArguments);
  return {
    path,
    description: command.description(),
    argument: argument === undefined ? "other" : kindOfPlace(argument.name()),
    options: uniqueOptions(meant.flatMap((one) => one.createHelp().visibleOptions(one))).map((option) => ({
      long: option.long ?? null,
      short: option.short ?? null,
      description: option.description,
      value: option.required || option.optional ? kindOfPlace(option.flags.slice(option.flags.search(/[<[]/))) : null,
      choices: option.argChoices ?? [],
    })),
    children: [
      ...children
        .filter((child) => child.name() !== "help")
        .map((child) => describeCommand(child, [...path, child.name()])),
      ...(argument?.argChoices ?? []).map((choice) => describeChoice([...path, choice])),
    ],
  };
}

/** A word that an argument may be, as if it were a command. */
const describeChoice = (path: readonly string[]): CommandNode => ({
  path,
  description: "",
  argument: "other",
  options: [],
  children: [],
});

const uniqueOptions = (options: readonly Option[]): readonly Option[] => [
  ...new Map(options.map((option) => [option.flags, option])).values(),
];

function addBuild(program: Command, handlers: CommandHandlers): void {
  const command = program
    .command("build", { isDefault: true })
    .description("build an image from a Dockerfile (the default command)")
    .argument("<context>", "directory, - for a tar or a Dockerfile on stdin, a git URL (#ref:subdir) or an http(s) URL")
    .addOption(repeatable("-t, --tag <reference>", "name of the image, repeatable"))
    .option("-f, --file <path>", "the Dockerfile, - for stdin (default: Dockerfile in the context)")
    .addOption(repeatable("--build-arg <name[=value]>", "value of an ARG; from the environment when no = is given"))
    .option("--target <stage>", "the stage to build (default: the last one)")
    .addOption(repeatableList("--platform <os/arch[/variant]>", "platforms to build for, separated by commas"))
    .option("--no-cache", "do not use the cache")
    .addOption(repeatableList("--no-cache-filter <stage>", "do not use the cache for these stages"))
    .option("--pull", "ask the registry for base images even if they are in the store")
    .addOption(repeatable("--label <name=value>", "label of the image"))
    .addOption(repeatable("--annotation <[place:]name=value>", "OCI annotation of the manifest, index, …-descriptor"))
    .addOption(new Option("--network <mode>", "network of RUN").choices(["default", "none", "host"]).default("default"))
    .addOption(repeatable("--add-host <name:address>", "line for /etc/hosts in RUN"))
    .option("--shm-size <size>", "size of /dev/shm in RUN (default: 64m)")
    .addOption(repeatable("--ulimit <name=soft[:hard]>", "resource limit in RUN"))
    .addOption(repeatable("--secret <id=,src=|env=>", "secret for RUN --mount=type=secret"))
    .addOption(repeatable("--ssh <id[=socket]>", "ssh agent for RUN --mount=type=ssh"))
    .addOption(
      repeatable("--build-context <name=source>", "more contexts: a directory, URL, docker-image:// or oci-layout://"),
    )
    .addOption(
      repeatable("-o, --output <type=,dest=|DIR|->", "where the image goes: type=image|registry|oci|docker|tar|local"),
    )
    .option("--push", "push the image to the registries its names begin with")
    .option("--check", "check the Dockerfile, build nothing; the same as --call=check")
    .option(
      "--call <method[,format=json]>",
      "answer a question instead of building: check, outline (what can be given to it), targets (what can be built)",
    )
    .addOption(repeatableList("--allow <entitlement>", "allow network.host or security.insecure to RUN"))
    .option(
      "--squash <new|all|from:stage>",
      "merge layers of the image: those this build makes (new, also --squash alone), all, or those made after a stage",
    )
    .option("--iidfile <path>", "write the image ID to a file")
    .option("--metadata-file <path>", "write what was built to a file, as JSON")
    .option("-q, --quiet", "print the image ID only")
    .addOption(progressOption())
    .option("--jobs <number>", "how many steps run at the same time (default: 16, or the number of processors if more)")
    .option("--root <dir>", "the store (TSBUILD_ROOT; /var/lib/tsbuild as root, the XDG data directory otherwise)")
    .option("--debug", "show stack traces and causes of errors")
    .action((context: string, options: BuildOptions) => handlers.build(context, options));
  for (const [flags, text] of limitFlags) command.option(flags, `RUN, all steps together: ${text}`);
}
