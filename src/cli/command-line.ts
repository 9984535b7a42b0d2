import { Argument, Command, CommanderError, Option } from "commander";
import { BuildError } from "../base/errors.ts";
import { didYouMean } from "../dockerfile/suggest-name.ts";
import { type ArchiveHandlers, addArchiveCommands } from "./archive-commands.ts";
import { type CommandNode, kindOfPlace } from "./completion/command-tree.ts";
import type { Shell } from "./completion-command.ts";
import { addContainerCommands, type ContainerHandlers } from "./container-commands.ts";
import { addContentCommands, type ContentHandlers } from "./content-commands.ts";
import { addImageCommands, examples, type ImageHandlers } from "./image-commands.ts";
import { type LimitOptions, limitFlags } from "./limit-flags.ts";
import { addRegistryCommands, type RegistryHandlers } from "./registry-commands.ts";
import { addStoreCommands, type StoreHandlers } from "./store-commands.ts";

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

/** What runs when a command was recognised; each is loaded only then. */
export interface CommandHandlers
  extends ArchiveHandlers,
    ContainerHandlers,
    ContentHandlers,
    ImageHandlers,
    RegistryHandlers,
    StoreHandlers {
  build(context: string, options: BuildOptions): Promise<void>;
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
  const maker: CommandMaker = { command, repeatable, oneOf };
  addImageCommands(maker, handlers);
  addRegistryCommands(maker, handlers);
  addContainerCommands(maker, handlers);
  addArchiveCommands(maker, handlers);
  addContentCommands(maker, handlers);
  addStoreCommands(maker, handlers);
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
