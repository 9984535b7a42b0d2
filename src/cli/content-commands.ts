import type { CommandMaker, GlobalOptions } from "./command-line.ts";
import { examples } from "./image-commands.ts";

export interface LsOptions extends GlobalOptions {
  readonly platform?: string;
}

export interface CatOptions extends GlobalOptions {
  readonly platform?: string;
}

export interface DiffOptions extends GlobalOptions {
  readonly platform?: string;
  readonly format: "text" | "json";
  readonly from?: string;
}

export interface VerifyOptions extends GlobalOptions {
  readonly format: "text" | "json";
  readonly strict?: boolean;
}

export interface SquashOptions extends GlobalOptions {
  readonly tag: readonly string[];
  readonly from?: string;
  readonly quiet?: boolean;
}

/** Commands on what lies in an image: its files and its layers. */
export interface ContentHandlers {
  ls(place: string, options: LsOptions): Promise<void>;
  cat(place: string, options: CatOptions): Promise<void>;
  diff(before: string, after: string | undefined, options: DiffOptions): Promise<void>;
  verify(source: string, options: VerifyOptions): Promise<void>;
  squash(image: string, options: SquashOptions): Promise<void>;
}

/** Adds the commands to the tree. */
export function addContentCommands({ command, oneOf, repeatable }: CommandMaker, handlers: ContentHandlers): void {
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
    .addOption(oneOf("--format <format>", "how it is printed", ["text", "json"], "text"))
    .action((before: string, after: string | undefined, options: DiffOptions) => handlers.diff(before, after, options));
  command("verify", "check an image from its bytes: digests, sizes, documents, layers; one line a problem")
    .argument("<source>", "an image of the store, an archive or a directory with an OCI layout, - for stdin")
    .option("--strict", "hold the layers of an archive to what tsbuild writes: sorted, each path once")
    .addOption(oneOf("--format <format>", "how problems are printed", ["text", "json"], "text"))
    .action((source: string, options: VerifyOptions) => handlers.verify(source, options));
  command("squash", "merge the layers of an image into one")
    .argument("<image>", "reference, image ID or the beginning of one")
    .addOption(
      repeatable("-t, --tag <reference>", "name of the new image, repeatable (default: the name it is asked by)"),
    )
    .option("--from <layer>", "merge only the last layers: how many, or the diffID or image they stand on")
    .option("-q, --quiet", "print the image ID only")
    .action((image: string, options: SquashOptions) => handlers.squash(image, options));
}
