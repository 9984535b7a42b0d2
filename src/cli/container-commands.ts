import type { CommandMaker, GlobalOptions } from "./command-line.ts";
import { examples } from "./image-commands.ts";
import { type LimitOptions, limitFlags } from "./limit-flags.ts";

/** Options of `run` as the command line gives them, unparsed. */
export interface RunOptions extends GlobalOptions, LimitOptions {
  readonly addHost: readonly string[];
  readonly entrypoint?: string;
  readonly env: readonly string[];
  readonly envFile: readonly string[];
  readonly hostname?: string;
  readonly interactive?: boolean;
  readonly name?: string;
  readonly network: string;
  readonly platform?: string;
  readonly progress: string;
  readonly pull: string;
  readonly quiet?: boolean;
  readonly readOnly?: boolean;
  readonly rm?: boolean;
  readonly shmSize?: string;
  readonly tmpfs: readonly string[];
  readonly tty?: boolean;
  readonly ulimit: readonly string[];
  readonly user?: string;
  readonly volume: readonly string[];
  readonly workdir?: string;
}

export interface CommitOptions extends GlobalOptions {
  readonly author?: string;
  readonly change: readonly string[];
  readonly message?: string;
}

export interface PsOptions extends GlobalOptions {
  readonly all?: boolean;
  readonly filter: readonly string[];
  readonly format?: string;
  readonly quiet?: boolean;
  readonly trunc: boolean;
}

export interface RmOptions extends GlobalOptions {
  readonly force?: boolean;
}

export interface LogsOptions extends GlobalOptions {
  readonly follow?: boolean;
  readonly tail: string;
  readonly timestamps?: boolean;
}

/** Commands on containers. */
export interface ContainerHandlers {
  run(image: string, command: readonly string[], options: RunOptions): Promise<void>;
  commit(container: string, reference: string | undefined, options: CommitOptions): Promise<void>;
  ps(options: PsOptions): Promise<void>;
  rm(containers: readonly string[], options: RmOptions): Promise<void>;
  logs(container: string, options: LogsOptions): Promise<void>;
}

const container = "name, ID or the beginning of one";

/** Adds the commands to the tree. */
export function addContainerCommands(maker: CommandMaker, handlers: ContainerHandlers): void {
  addRun(maker, handlers);
  const { command, repeatable } = maker;
  command("commit", "make an image of what a container changed, and print its ID")
    .argument("<container>", container)
    .argument("[reference]", "name of the image")
    .option("-a, --author <name>", "author of the image")
    .addOption(repeatable("-c, --change <instruction>", "a Dockerfile instruction about the config: CMD, ENV, USER, …"))
    .option("-m, --message <text>", "comment in the image's history")
    .addHelpText(
      "after",
      examples("commit try ns/app:new", "commit -m 'with curl' -c 'CMD [\"curl\"]' try ns/app:curl"),
    )
    .action((name: string, reference: string | undefined, options: CommitOptions) =>
      handlers.commit(name, reference, options),
    );
  command("ps", "list containers that run")
    .option("-a, --all", "list those that have ended too")
    .addOption(repeatable("-f, --filter <name=value>", "id=, name=, status=, exited=, ancestor=; repeatable"))
    .option("--format <json|table|template>", "one JSON object a line, a table, or a Go template for each line")
    .option("--no-trunc", "show whole IDs and commands")
    .option("-q, --quiet", "print IDs only")
    .addHelpText("after", examples("ps -a", "ps -aq --filter status=exited", "ps --format '{{.Names}} {{.Status}}'"))
    .action((options: PsOptions) => handlers.ps(options));
  command("rm", "remove containers with all they changed")
    .argument("<containers...>", "names, IDs or beginnings of them")
    .option("-f, --force", "kill those that run; what is not there is no error")
    .addHelpText("after", examples("rm try", "rm -f 3f5a1c2b9d04"))
    .action((names: string[], options: RmOptions) => handlers.rm(names, options));
  command("logs", "print what a container's program wrote")
    .argument("<container>", container)
    .option("-f, --follow", "go on until the container ends")
    .option("-n, --tail <number>", "only so many lines from the end", "all")
    .option("-t, --timestamps", "begin each line with its time")
    .addHelpText("after", examples("logs --tail 20 -t try", "logs -f try"))
    .action((name: string, options: LogsOptions) => handlers.logs(name, options));
}

function addRun({ command, repeatable, oneOf }: CommandMaker, handlers: ContainerHandlers): void {
  const run = command("run", "run a program in a new container of an image")
    .argument("<image>", "reference, image ID or the beginning of one")
    .argument("[command...]", "the program and its arguments (default: what the image says)")
    // as in docker, -h is the hostname, and what follows the image belongs to the program
    .helpOption("--help", "display help for command")
    .passThroughOptions()
    .addOption(repeatable("--add-host <name:address>", "line for /etc/hosts"))
    .option("--entrypoint <program>", "the program in place of the image's entrypoint; empty for none")
    .addOption(
      repeatable("-e, --env <name[=value]>", "variable of the environment; from the caller's when no = is given"),
    )
    .addOption(repeatable("--env-file <path>", "file with such variables, one a line"))
    .option("-h, --hostname <name>", "name of the machine in the container (default: the container's ID)")
    .option("-i, --interactive", "pass standard input on")
    .option("--name <name>", "name of the container")
    .addOption(oneOf("--network <mode>", "network of the container", ["host", "none"], "host"))
    .option("--platform <os/arch[/variant]>", "the platform, where the image has several")
    .addOption(oneOf("--progress <kind>", "how pulling is shown", ["auto", "tty", "plain", "quiet"], "auto"))
    .addOption(
      oneOf("--pull <when>", "when to ask the registry for the image", ["always", "missing", "never"], "missing"),
    )
    .option("-q, --quiet", "do not show how the image is pulled")
    .option("--read-only", "the program cannot change the image's files")
    .option("--rm", "remove the container when its program has ended")
    .option("--shm-size <size>", "size of /dev/shm (default: 64m)")
    .addOption(repeatable("--tmpfs <path[:size=…]>", "directory in memory"))
    .option("-t, --tty", "give the program a terminal")
    .addOption(repeatable("--ulimit <name=soft[:hard]>", "resource limit"))
    .option("-u, --user <name|uid[:group|gid]>", "who runs the program")
    .addOption(repeatable("-v, --volume <host:path[:ro]>", "show a directory or file of the host in the container"))
    .option("-w, --workdir <path>", "working directory of the program")
    .addHelpText(
      "after",
      examples("run --rm -it ns/app sh", 'run --rm -v "$PWD":/src:ro -w /src ns/app make', "run --name try ns/app"),
    )
    .action((image: string, program: string[], options: RunOptions) => handlers.run(image, program, options));
  for (const [flags, text] of limitFlags) run.option(flags, text);
}
