import type { CommandMaker, GlobalOptions } from "./command-line.ts";
import { examples } from "./image-commands.ts";

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

/** Commands that write images and file systems as archives, and read them. */
export interface ArchiveHandlers {
  save(images: readonly string[], options: SaveOptions): Promise<void>;
  load(options: LoadOptions): Promise<void>;
  export(image: string, options: ExportOptions): Promise<void>;
  import(source: string, reference: string | undefined, options: ImportOptions): Promise<void>;
}

/** Adds the commands to the tree. */
export function addArchiveCommands({ command, oneOf, repeatable }: CommandMaker, handlers: ArchiveHandlers): void {
  command("save", "write images as an archive")
    .argument("<images...>", "references, image IDs or beginnings of them")
    .option("-o, --output <file>", "the file to write, - for stdout (the default)")
    .addOption(
      oneOf(
        "--format <format>",
        "docker: for docker load and everything that reads OCI; oci: several platforms too",
        ["docker", "oci"],
        "docker",
      ),
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
}
