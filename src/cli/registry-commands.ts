import type { CommandMaker, GlobalOptions } from "./command-line.ts";

export interface RegistryServeOptions extends GlobalOptions {
  readonly addr: string;
  readonly writable?: boolean;
  readonly allowPush?: boolean;
  readonly allowDelete?: boolean;
  readonly htpasswd?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
}

export interface PullOptions extends GlobalOptions {
  readonly certDir?: string;
  readonly allPlatforms?: boolean;
  readonly platform: readonly string[];
  readonly progress: string;
  readonly quiet?: boolean;
}

export interface PushOptions extends GlobalOptions {
  readonly certDir?: string;
  readonly allTags?: boolean;
  readonly compression?: string;
  readonly compressionLevel?: string;
  readonly forceCompression?: boolean;
  readonly platform: readonly string[];
  readonly progress: string;
  readonly quiet?: boolean;
}

export interface LoginOptions extends GlobalOptions {
  readonly certDir?: string;
  readonly passwordStdin?: boolean;
  readonly username?: string;
}

export interface ManifestInspectOptions extends GlobalOptions {
  readonly certDir?: string;
  readonly raw?: boolean;
  readonly remote?: boolean;
}

export interface ManifestCreateOptions extends GlobalOptions {
  readonly certDir?: string;
  readonly annotation: readonly string[];
  readonly platform: readonly string[];
}

/** Commands about registries. */
export interface RegistryHandlers {
  pull(reference: string, options: PullOptions): Promise<void>;
  push(references: readonly string[], options: PushOptions): Promise<void>;
  login(registry: string | undefined, options: LoginOptions): Promise<void>;
  logout(registry: string | undefined): Promise<void>;
  manifestInspect(reference: string, options: ManifestInspectOptions): Promise<void>;
  manifestCreate(reference: string, sources: readonly string[], options: ManifestCreateOptions): Promise<void>;
  registryServe(options: RegistryServeOptions): Promise<void>;
}

/** Adds the commands to the tree. */
export function addRegistryCommands(maker: CommandMaker, handlers: RegistryHandlers): void {
  addTransfers(maker, handlers);
  addLogins(maker, handlers);
  addManifest(maker, handlers);
  addServe(maker, handlers);
}

const root = [
  "--root <dir>",
  "the store (TSBUILD_ROOT; /var/lib/tsbuild as root, the XDG data directory otherwise)",
] as const;
const debug = ["--debug", "show stack traces and causes of errors"] as const;
const certDir = [
  "--cert-dir <dir>",
  "certificates for the registry: *.crt, *.cert with *.key (TSBUILD_CERT_DIR)",
] as const;
const quiet = ["-q, --quiet", "show no progress"] as const;

function addTransfers({ command, repeatable, oneOf }: CommandMaker, handlers: RegistryHandlers): void {
  const progress = (): ReturnType<typeof oneOf> =>
    oneOf("--progress <kind>", "how progress is shown", ["auto", "tty", "plain", "rawjson", "quiet"], "auto");
  command("pull", "bring an image of a registry into the store, and print its digest")
    .argument("<reference>", "name of the image")
    .option("--all-platforms", "every image of the index, and what else it names, so that it can be pushed as it is")
    .addOption(repeatable("--platform <os/arch[/variant]>", "platforms, separated by commas (default: this machine's)"))
    .option(...certDir)
    .option(...quiet)
    .addOption(progress())
    .action((reference: string, options: PullOptions) => handlers.pull(reference, options));
  command("push", "push images of the store to registries, and print their digests")
    .argument("<references...>", "names of images")
    .option("-a, --all-tags", "every tag the store has of the repositories that are named")
    .option("--compression <kind>", "gzip (the default), zstd or uncompressed, for layers that were made here")
    .option("--compression-level <number>", "0 to 9, of zstd to 22")
    .option("--force-compression", "compress layers anew that came from elsewhere")
    .addOption(repeatable("--platform <os/arch[/variant]>", "only these platforms, separated by commas"))
    .option(...certDir)
    .option(...quiet)
    .addOption(progress())
    .action((references: string[], options: PushOptions) => handlers.push(references, options));
}

function addLogins({ command }: CommandMaker, handlers: RegistryHandlers): void {
  command("login", "log in to a registry; the login is kept where docker keeps it")
    .argument("[registry]", "host[:port] (default: docker.io)")
    .option("-u, --username <name>", "the user (asked for when left out)")
    .option("--password-stdin", "read the password from stdin")
    .option(...certDir)
    .action((registry: string | undefined, options: LoginOptions) => handlers.login(registry, options));
  command("logout", "forget the login of a registry")
    .argument("[registry]", "host[:port] (default: docker.io)")
    .action((registry: string | undefined) => handlers.logout(registry));
}

function addManifest({ command, repeatable }: CommandMaker, handlers: RegistryHandlers): void {
  const manifest = command("manifest", "look into manifests and indexes, and make indexes");
  manifest
    .command("inspect")
    .description("show the manifest or index a name leads to: in the store if it is there, else in its registry")
    .argument("<reference>", "name of the image, or name@digest")
    .option("--raw", "print the bytes as they are")
    .option("--remote", "ask the registry even if the image is in the store")
    .option(...certDir)
    .option(...root)
    .option(...debug)
    .action((reference: string, options: ManifestInspectOptions) => handlers.manifestInspect(reference, options));
  manifest
    .command("create")
    .description("make an index of images of the store or of registries, and print its digest")
    .argument("<reference>", "name of the index in the store; tsbuild push brings it to a registry")
    .argument("<sources...>", "names of images")
    .option(...certDir)
    .addOption(repeatable("--annotation <[place:]name=value>", "places: index (the default), manifest-descriptor"))
    .addOption(repeatable("--platform <source=os/arch[/variant]>", "what the index says of a source"))
    .option(...root)
    .option(...debug)
    .action((reference: string, sources: string[], options: ManifestCreateOptions) =>
      handlers.manifestCreate(reference, sources, options),
    );
  manifest
    .command("push")
    .description("push an index with all it names: the same as tsbuild push")
    .argument("<references...>", "names of images")
    .option(...certDir)
    .option(...quiet)
    .option(...root)
    .option(...debug)
    .action((references: string[], options: Pick<PushOptions, "certDir" | "debug" | "quiet" | "root">) =>
      handlers.push(references, { ...options, platform: [], progress: "auto" }),
    );
}

function addServe({ command }: CommandMaker, handlers: RegistryHandlers): void {
  command("registry", "offer the store as a registry")
    .command("serve")
    .description("offer the images of the store to others, and take what they push, by the OCI distribution protocol")
    .option("--addr <host:port>", "where to listen; :5000 is every address of this machine", "127.0.0.1:5000")
    .option("--allow-push", "take what is pushed (default: read only)")
    .option("--writable", "the same as --allow-push")
    .option("--allow-delete", "let tags, manifests and blobs be deleted")
    .option("--htpasswd <file>", "users and their passwords, as htpasswd -B writes them (default: everybody)")
    .option("--tls-cert <file>", "certificate, PEM (default: plain HTTP)")
    .option("--tls-key <file>", "key of the certificate, PEM")
    .option(...root)
    .option(...debug)
    .action((options: RegistryServeOptions) => handlers.registryServe(options));
}
