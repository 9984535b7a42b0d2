import type { CommandMaker, GlobalOptions } from "./command-line.ts";

export interface ImagesOptions extends GlobalOptions {
  readonly filter: readonly string[];
  readonly format?: string;
  readonly quiet?: boolean;
  readonly digests?: boolean;
  readonly trunc: boolean;
}

export interface HistoryOptions extends GlobalOptions {
  readonly format?: string;
  readonly human: boolean;
  readonly platform?: string;
  readonly quiet?: boolean;
  readonly trunc: boolean;
}

export interface InspectOptions extends GlobalOptions {
  readonly format?: string;
  readonly platform?: string;
}

export interface RmiOptions extends GlobalOptions {
  readonly force?: boolean;
}

export interface CpOptions extends GlobalOptions {
  readonly archive?: boolean;
  readonly followLink?: boolean;
  readonly platform?: string;
  readonly quiet?: boolean;
}

/** Commands on the images of the store that need nothing else. */
export interface ImageHandlers {
  images(repository: string | undefined, options: ImagesOptions): Promise<void>;
  history(image: string, options: HistoryOptions): Promise<void>;
  inspect(images: readonly string[], options: InspectOptions): Promise<void>;
  tag(source: string, target: string, options: GlobalOptions): Promise<void>;
  rmi(images: readonly string[], options: RmiOptions): Promise<void>;
  cp(source: string, destination: string, options: CpOptions): Promise<void>;
}

const image = "reference, image ID or the beginning of one";
const format = "--format <json|table|template>";
const platform = "--platform <os/arch[/variant]>";

/** Adds the commands to the tree. */
export function addImageCommands({ command, repeatable }: CommandMaker, handlers: ImageHandlers): void {
  command("images", "list the images of the store")
    .argument("[repository[:tag]]", "only images of this name, which may hold wildcards")
    .option("-a, --all", "show all images, as is done anyway: there are no intermediate ones")
    .option("--digests", "show manifest digests")
    .addOption(
      repeatable("-f, --filter <name=value>", "dangling=, label=, before=, since=, until=, reference=; repeatable"),
    )
    .option(format, "one JSON object a line, a table, or a Go template for each line")
    .option("--no-trunc", "show whole image IDs")
    .option("-q, --quiet", "print image IDs only")
    .addHelpText(
      "after",
      examples(
        "images 'demo/*'",
        "images --filter label=stage=ci --filter until=24h -q",
        "images --format '{{.ID}} {{.Size}}'",
      ),
    )
    .action((repository: string | undefined, options: ImagesOptions) => handlers.images(repository, options));
  command("history", "show how an image was made, newest step first")
    .argument("<image>", image)
    .option(format, "one JSON object a line, a table, or a Go template for each line")
    .option("-H, --human", "show ages and sizes for people (the default)", true)
    .option("--no-human", "show times and bytes")
    .option(platform, "the platform, where the image has several")
    .option("--no-trunc", "show whole texts")
    .option("-q, --quiet", "print image IDs only")
    .addHelpText("after", examples("history --no-trunc ns/app", "history --format '{{.Size}}\\t{{.CreatedBy}}' ns/app"))
    .action((name: string, options: HistoryOptions) => handlers.history(name, options));
  command("inspect", "print everything about images, as JSON")
    .argument("<images...>", "references, image IDs or beginnings of them")
    .option("-f, --format <json|template>", "one JSON object a line, or a Go template for each image")
    .option(platform, "only this platform of each image")
    .addHelpText(
      "after",
      examples("inspect -f '{{.Config.Env}}' ns/app", "inspect -f '{{json .Config}}' ns/app ns/other"),
    )
    .action((names: string[], options: InspectOptions) => handlers.inspect(names, options));
  command("tag", "give an image another name")
    .argument("<image>", image)
    .argument("<reference>", "the new name")
    .addHelpText("after", examples("tag ns/app registry.example.com/ns/app:1.0"))
    .action((name: string, reference: string, options: GlobalOptions) => handlers.tag(name, reference, options));
  command("rmi", "remove images from the store; prune frees their layers")
    .argument("<images...>", "references, NAME@DIGEST, image IDs or beginnings of them")
    .option("-f, --force", "remove an image that has several names by its ID; what is not there is no error")
    .addHelpText("after", examples("rmi ns/app:1.0", "rmi -f 3f5a1c2b9d04"))
    .action((names: string[], options: RmiOptions) => handlers.rmi(names, options));
  command("cp", "copy files out of an image")
    .argument("<image:/path>", "the image, and the path in it; with /. at its end what lies in the directory")
    .argument("<destination>", "a path here, or - for a tar on stdout")
    .option("-a, --archive", "keep owners, devices and extended attributes, which needs root")
    .option("-L, --follow-link", "copy what a symlink at the end of the path leads to")
    .option(platform, "the platform, where the image has several")
    .option("-q, --quiet", "do not say what was copied")
    .addHelpText(
      "after",
      examples("cp ns/app:/etc/passwd .", "cp ns/app:/usr/share/doc/. doc", "cp ns/app:/etc - | tar -t"),
    )
    .action((source: string, destination: string, options: CpOptions) => handlers.cp(source, destination, options));
}

/** What `--help` shows behind the options. */
export const examples = (...lines: readonly string[]): string =>
  `\nExamples:\n${lines.map((line) => `  tsbuild ${line}\n`).join("")}`;
